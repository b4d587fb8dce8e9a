extern "C" __global__ void __launch_bounds__(256) kernel0(
    const __half* __restrict__ x0,
    const __half* __restrict__ x1,
    __half* __restrict__ y0_) {
  const int block_y = blockIdx.y;
  const int block_x = blockIdx.x;
  __shared__ __align__(16) __half tile[5120];
  __shared__ __align__(16) __half tile1[4608];
  {
    const int warp = threadIdx.y;
    {
      const int lane = threadIdx.x;
      float sum[16];
      #pragma unroll
      for (int k = 0; k < 16; ++k) {
        sum[k] = 0.0f;
      }
      gc_copy_async<16>(&tile[lane * 40 + warp * 320 - (lane / 8) * 312], &x0[block_y * 4096 + lane * 64 + warp * 512 - (lane / 8) * 504], true);
      gc_copy_async<16>(&tile1[lane * 8 + warp * 288 + (lane / 8) * 8], &x1[block_x * 64 + lane * 8 + warp * 512 + (lane / 8) * 64], true);
      gc_copy_commit();
      for (int s = 0; s < 2; ++s) {
        gc_copy_wait<0>();
        __syncthreads();
        if (s + 1 < 2) {
          gc_copy_async<16>(&tile[lane * 40 + warp * 320 + ((s + 1) % 2) * 2560 - (lane / 8) * 312], &x0[block_y * 4096 + lane * 64 + s * 32 + warp * 512 - (lane / 8) * 504 + 32], true);
          gc_copy_async<16>(&tile1[lane * 8 + warp * 288 + ((s + 1) % 2) * 2304 + (lane / 8) * 8], &x1[block_x * 64 + lane * 8 + s * 4096 + warp * 512 + (lane / 8) * 64 + 4096], true);
        }
        gc_copy_commit();
        unsigned int left[16];
        unsigned int right[8];
        #pragma unroll
        for (int i = 0; i < 2; ++i) {
          gc_fragments(&left[i * 4], &tile[i * 640 + ((lane / 8) % 2) * 320 + (lane % 8) * 40 + (lane / 16) * 8 + (s % 2) * 2560 + (warp / 4) * 1280]);
        }
        #pragma unroll
        for (int j = 0; j < 1; ++j) {
          gc_fragments_transposed(&right[j * 4], &tile1[j * 16 + ((lane / 8) % 2) * 576 + (lane % 8) * 72 + (lane / 16) * 8 + (s % 2) * 2304 + (warp % 4) * 16]);
        }
        #pragma unroll
        for (int k1 = 0; k1 < 2; ++k1) {
          if (k1 + 1 < 2) {
            #pragma unroll
            for (int i3 = 0; i3 < 2; ++i3) {
              gc_fragments(&left[i3 * 4 + ((k1 + 1) % 2) * 8], &tile[i3 * 640 + k1 * 16 + ((lane / 8) % 2) * 320 + (lane % 8) * 40 + (lane / 16) * 8 + (s % 2) * 2560 + (warp / 4) * 1280 + 16]);
            }
            #pragma unroll
            for (int j1_ = 0; j1_ < 1; ++j1_) {
              gc_fragments_transposed(&right[j1_ * 4 + ((k1 + 1) % 2) * 4], &tile1[j1_ * 16 + k1 * 1152 + ((lane / 8) % 2) * 576 + (lane % 8) * 72 + (lane / 16) * 8 + (s % 2) * 2304 + (warp % 4) * 16 + 1152]);
            }
          }
          #pragma unroll
          for (int m = 0; m < 2; ++m) {
            #pragma unroll
            for (int n = 0; n < 2; ++n) {
              gc_mma_f16(&sum[m * 8 + n * 4], &left[m * 4 + (k1 % 2) * 8], &right[n * 2 + (k1 % 2) * 4]);
            }
          }
        }
      }
      #pragma unroll
      for (int m1 = 0; m1 < 2; ++m1) {
        #pragma unroll
        for (int h = 0; h < 2; ++h) {
          #pragma unroll
          for (int n1 = 0; n1 < 2; ++n1) {
            {
              gc_pack<__half, 2> y0__v;
              #pragma unroll
              for (int l4 = 0; l4 < 2; ++l4) {
                const float t7 = sum[h * 2 + l4 + m1 * 8 + n1 * 4];
                const __half t8 = __half(t7);
                y0__v.at[l4] = t8;
              }
              *reinterpret_cast<gc_pack<__half, 2>*>(y0_ + (block_x * 64 + block_y * 8192 + h * 1024 + lane * 2 + m1 * 2048 + n1 * 8 + warp * 16 + (lane / 4) * 120 + (warp / 4) * 4032)) = y0__v;
            }
          }
        }
      }
    }
  }
}
