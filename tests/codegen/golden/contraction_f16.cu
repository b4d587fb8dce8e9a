extern "C" __global__ void __launch_bounds__(256) kernel0(
    const __half* __restrict__ x0,
    const __half* __restrict__ x1,
    __half* __restrict__ y0_) {
  const int block_y = blockIdx.y;
  const int block_x = blockIdx.x;
  __shared__ __align__(16) unsigned int tile[1408];
  __shared__ __align__(16) unsigned int tile1[1408];
  {
    const int warp = threadIdx.y;
    {
      const int lane = threadIdx.x;
      float sum[16];
      #pragma unroll
      for (int k = 0; k < 16; ++k) {
        sum[k] = 0.0f;
      }
      unsigned int stage[4];
      unsigned int stage1[8];
      __half read3[8];
      {
        const gc_pack<__half, 8> x0_v = *reinterpret_cast<const gc_pack<__half, 8>*>(x0 + (block_y * 4096 + lane * 64 + warp * 512 - (lane / 8) * 504));
        #pragma unroll
        for (int l3 = 0; l3 < 8; ++l3) {
          read3[l3] = x0_v.at[l3];
        }
      }
      #pragma unroll
      for (int w4 = 0; w4 < 4; ++w4) {
        stage[w4] = ((unsigned int)(gc_bitcast<unsigned short>(read3[w4 * 2]))) | gc_shl(((unsigned int)(gc_bitcast<unsigned short>(read3[w4 * 2 + 1]))), 16U);
      }
      if (lane + warp * 32 < 128) {
        __half read4[8];
        if (block_x * 64 + warp * 16 + (lane / 16) * 8 < 128) {
          {
            const gc_pack<__half, 8> x1_v = *reinterpret_cast<const gc_pack<__half, 8>*>(x1 + (block_x * 64 + lane * 256 + warp * 16 - (lane / 16) * 4088));
            #pragma unroll
            for (int l4 = 0; l4 < 8; ++l4) {
              read4[l4] = x1_v.at[l4];
            }
          }
        }
        else {
          #pragma unroll
          for (int l4 = 0; l4 < 8; ++l4) {
            read4[l4] = __half(0.0f);
          }
        }
        __half read5[8];
        if (block_x * 64 + warp * 16 + (lane / 16) * 8 < 128) {
          {
            const gc_pack<__half, 8> x1_v1 = *reinterpret_cast<const gc_pack<__half, 8>*>(x1 + (block_x * 64 + lane * 256 + warp * 16 - (lane / 16) * 4088 + 128));
            #pragma unroll
            for (int l5 = 0; l5 < 8; ++l5) {
              read5[l5] = x1_v1.at[l5];
            }
          }
        }
        else {
          #pragma unroll
          for (int l5 = 0; l5 < 8; ++l5) {
            read5[l5] = __half(0.0f);
          }
        }
        #pragma unroll
        for (int w5 = 0; w5 < 8; ++w5) {
          stage1[w5] = ((unsigned int)(gc_bitcast<unsigned short>(read4[w5]))) | gc_shl(((unsigned int)(gc_bitcast<unsigned short>(read5[w5]))), 16U);
        }
      }
      for (int s = 0; s < 2; ++s) {
        {
          gc_pack<unsigned int, 4> tile_v;
          #pragma unroll
          for (int w2 = 0; w2 < 4; ++w2) {
            tile_v.at[w2] = stage[w2];
          }
          *reinterpret_cast<gc_pack<unsigned int, 4>*>(tile + (lane * 20 + warp * 176 - (lane / 8) * 156)) = tile_v;
        }
        if (lane + warp * 32 < 128) {
          #pragma unroll
          for (int w3 = 0; w3 < 8; ++w3) {
            tile1[lane + w3 * 20 + warp * 352 + (lane / 16) * 160] = stage1[w3];
          }
        }
        __syncthreads();
        if (s + 1 < 2) {
          __half read[8];
          {
            const gc_pack<__half, 8> x0_v1 = *reinterpret_cast<const gc_pack<__half, 8>*>(x0 + (block_y * 4096 + lane * 64 + s * 32 + warp * 512 - (lane / 8) * 504 + 32));
            #pragma unroll
            for (int l = 0; l < 8; ++l) {
              read[l] = x0_v1.at[l];
            }
          }
          #pragma unroll
          for (int w = 0; w < 4; ++w) {
            stage[w] = ((unsigned int)(gc_bitcast<unsigned short>(read[w * 2]))) | gc_shl(((unsigned int)(gc_bitcast<unsigned short>(read[w * 2 + 1]))), 16U);
          }
          if (lane + warp * 32 < 128) {
            __half read1[8];
            if (block_x * 64 + warp * 16 + (lane / 16) * 8 < 128) {
              {
                const gc_pack<__half, 8> x1_v2 = *reinterpret_cast<const gc_pack<__half, 8>*>(x1 + (block_x * 64 + lane * 256 + s * 4096 + warp * 16 - (lane / 16) * 4088 + 4096));
                #pragma unroll
                for (int l1 = 0; l1 < 8; ++l1) {
                  read1[l1] = x1_v2.at[l1];
                }
              }
            }
            else {
              #pragma unroll
              for (int l1 = 0; l1 < 8; ++l1) {
                read1[l1] = __half(0.0f);
              }
            }
            __half read2[8];
            if (block_x * 64 + warp * 16 + (lane / 16) * 8 < 128) {
              {
                const gc_pack<__half, 8> x1_v3 = *reinterpret_cast<const gc_pack<__half, 8>*>(x1 + (block_x * 64 + lane * 256 + s * 4096 + warp * 16 - (lane / 16) * 4088 + 4224));
                #pragma unroll
                for (int l2 = 0; l2 < 8; ++l2) {
                  read2[l2] = x1_v3.at[l2];
                }
              }
            }
            else {
              #pragma unroll
              for (int l2 = 0; l2 < 8; ++l2) {
                read2[l2] = __half(0.0f);
              }
            }
            #pragma unroll
            for (int w1 = 0; w1 < 8; ++w1) {
              stage1[w1] = ((unsigned int)(gc_bitcast<unsigned short>(read1[w1]))) | gc_shl(((unsigned int)(gc_bitcast<unsigned short>(read2[w1]))), 16U);
            }
          }
        }
        #pragma unroll
        for (int k1 = 0; k1 < 2; ++k1) {
          unsigned int left[8];
          #pragma unroll
          for (int m = 0; m < 2; ++m) {
            #pragma unroll
            for (int c = 0; c < 2; ++c) {
              #pragma unroll
              for (int h = 0; h < 2; ++h) {
                left[c * 2 + h + m * 4] = tile[c * 4 + h * 176 + k1 * 8 + lane + m * 352 + (lane / 4) * 16 + (warp / 4) * 704];
              }
            }
          }
          unsigned int right[4];
          #pragma unroll
          for (int n = 0; n < 2; ++n) {
            #pragma unroll
            for (int c = 0; c < 2; ++c) {
              right[c + n * 2] = tile1[c * 4 + k1 * 8 + lane + n * 176 + (lane / 4) * 16 + (warp % 4) * 352];
            }
          }
          #pragma unroll
          for (int m = 0; m < 2; ++m) {
            #pragma unroll
            for (int n = 0; n < 2; ++n) {
              gc_mma_f16(&sum[m * 8 + n * 4], &left[m * 4], &right[n * 2]);
            }
          }
        }
        __syncthreads();
      }
      #pragma unroll
      for (int m1 = 0; m1 < 2; ++m1) {
        #pragma unroll
        for (int h1 = 0; h1 < 2; ++h1) {
          #pragma unroll
          for (int n1 = 0; n1 < 2; ++n1) {
            {
              gc_pack<__half, 2> y0__v;
              #pragma unroll
              for (int l6 = 0; l6 < 2; ++l6) {
                const float t7 = sum[h1 * 2 + l6 + m1 * 8 + n1 * 4];
                const __half t8 = __half(t7);
                y0__v.at[l6] = t8;
              }
              *reinterpret_cast<gc_pack<__half, 2>*>(y0_ + (block_x * 64 + block_y * 8192 + h1 * 1024 + lane * 2 + m1 * 2048 + n1 * 8 + warp * 16 + (lane / 4) * 120 + (warp / 4) * 4032)) = y0__v;
            }
          }
        }
      }
    }
  }
}
