; Made from extension.c by make_native.py; do not edit.
; Triple and data layout are set when it is compiled.

%struct.Slot = type { i32, ptr }
%struct.anon = type { ptr, i32, i32, i32, ptr }
%struct.Function = type { ptr, i64, i64, i64, i64, ptr, ptr, ptr, ptr, ptr, ptr }
%struct.View = type { ptr, ptr, i64, i64, i32, i32, ptr, ptr, ptr, ptr, ptr }
%struct.Array = type { ptr, ptr, ptr, i64, i64, i64, i64, i64, ptr }
%struct.Result = type { [8 x i8], ptr, ptr, i64, i64, i64, ptr }

@gc_extension_init.slots = internal global [3 x %struct.Slot] [%struct.Slot { i32 1, ptr @result_buffer }, %struct.Slot { i32 52, ptr @result_free }, %struct.Slot zeroinitializer], align 16
@gc_extension_init.spec = internal global %struct.anon { ptr null, i32 56, i32 0, i32 128, ptr @gc_extension_init.slots }, align 8
@result_type = internal unnamed_addr global ptr null, align 8
@PyExc_TypeError = external local_unnamed_addr global ptr, align 8
@.str = private unnamed_addr constant [46 x i8] c"%s() takes %lld arguments, and %ld were given\00", align 1
@.str.1 = private unnamed_addr constant [40 x i8] c"%s() has no argument %R, or two of them\00", align 1
@.str.2 = private unnamed_addr constant [27 x i8] c"%s() lacks the argument %s\00", align 1
@.str.3 = private unnamed_addr constant [45 x i8] c"has no contiguous buffer that may be written\00", align 1
@.str.4 = private unnamed_addr constant [25 x i8] c"has no contiguous buffer\00", align 1
@.str.5 = private unnamed_addr constant [29 x i8] c"has elements of another type\00", align 1
@.str.6 = private unnamed_addr constant [27 x i8] c"has another number of axes\00", align 1
@PyExc_ValueError = external local_unnamed_addr global ptr, align 8
@.str.7 = private unnamed_addr constant [54 x i8] c"%s: axis %lld of %s is %lld and not %lld; expected %s\00", align 1
@PyBool_Type = external global [0 x i8], align 1
@PyLong_Type = external global [0 x i8], align 1
@PyFloat_Type = external global [0 x i8], align 1
@_Py_TrueStruct = external global [0 x i8], align 1
@PyComplex_Type = external global [0 x i8], align 1
@.str.8 = private unnamed_addr constant [13 x i8] c"does not fit\00", align 1
@.str.9 = private unnamed_addr constant [18 x i8] c"is another object\00", align 1
@.str.10 = private unnamed_addr constant [23 x i8] c"%s: %s %s; expected %s\00", align 1
@.str.11 = private unnamed_addr constant [2 x i8] c"B\00", align 1
@.str.12 = private unnamed_addr constant [45 x i8] c"%s: %s is written, and shares memory with %s\00", align 1
@PyExc_IndexError = external local_unnamed_addr global ptr, align 8
@PyExc_ArithmeticError = external local_unnamed_addr global ptr, align 8
@.str.13 = private unnamed_addr constant [7 x i8] c"%s: %s\00", align 1

; Function Attrs: nounwind
define hidden ptr @gc_extension_call(ptr nocapture noundef readonly %0, i64 noundef %1, ptr noundef %2, ptr nocapture noundef readonly %3) local_unnamed_addr #0 {
  %5 = getelementptr inbounds %struct.Function, ptr %3, i64 0, i32 1
  %6 = load i64, ptr %5, align 8
  %7 = getelementptr inbounds %struct.Function, ptr %3, i64 0, i32 2
  %8 = load i64, ptr %7, align 8
  %9 = add i64 %8, %6
  %10 = mul nsw i64 %6, 80
  %11 = getelementptr inbounds %struct.Function, ptr %3, i64 0, i32 3
  %12 = load i64, ptr %11, align 8
  %13 = getelementptr inbounds %struct.Function, ptr %3, i64 0, i32 4
  %14 = load i64, ptr %13, align 8
  %15 = shl i64 %9, 1
  %16 = add i64 %15, %12
  %17 = add i64 %16, %14
  %18 = shl nsw i64 %17, 3
  %19 = shl nsw i64 %6, 4
  %20 = add i64 %10, 64
  %21 = add i64 %20, %19
  %22 = add i64 %21, %18
  %23 = tail call ptr @PyMem_Malloc(i64 noundef %22) #4
  %24 = icmp eq ptr %23, null
  br i1 %24, label %25, label %27

25:                                               ; preds = %4
  %26 = tail call ptr @PyErr_NoMemory() #4
  br label %629

27:                                               ; preds = %4
  %28 = ptrtoint ptr %23 to i64
  %29 = sub nsw i64 0, %28
  %30 = and i64 %29, 15
  %31 = getelementptr inbounds i8, ptr %23, i64 %30
  %32 = getelementptr inbounds i8, ptr %31, i64 %19
  %33 = getelementptr inbounds %struct.View, ptr %32, i64 %6
  %34 = getelementptr inbounds ptr, ptr %33, i64 %9
  %35 = getelementptr inbounds ptr, ptr %34, i64 %6
  %36 = getelementptr inbounds ptr, ptr %35, i64 %8
  %37 = load i64, ptr %11, align 8
  %38 = getelementptr inbounds i64, ptr %36, i64 %37
  %39 = icmp sgt i64 %6, 0
  br i1 %39, label %40, label %56

40:                                               ; preds = %27
  %41 = and i64 %6, 7
  %42 = icmp ult i64 %6, 8
  br i1 %42, label %45, label %43

43:                                               ; preds = %40
  %44 = and i64 %6, -8
  br label %72

45:                                               ; preds = %72, %40
  %46 = phi i64 [ 0, %40 ], [ %98, %72 ]
  %47 = icmp eq i64 %41, 0
  br i1 %47, label %56, label %48

48:                                               ; preds = %45, %48
  %49 = phi i64 [ %53, %48 ], [ %46, %45 ]
  %50 = phi i64 [ %54, %48 ], [ 0, %45 ]
  %51 = getelementptr inbounds %struct.View, ptr %32, i64 %49
  %52 = getelementptr inbounds %struct.View, ptr %51, i64 0, i32 1
  store ptr null, ptr %52, align 8
  %53 = add nuw nsw i64 %49, 1
  %54 = add i64 %50, 1
  %55 = icmp eq i64 %54, %41
  br i1 %55, label %56, label %48, !llvm.loop !3

56:                                               ; preds = %45, %48, %27
  %57 = icmp sgt i64 %8, 0
  br i1 %57, label %58, label %101

58:                                               ; preds = %56
  %59 = icmp ult i64 %8, 4
  br i1 %59, label %70, label %60

60:                                               ; preds = %58
  %61 = and i64 %8, -4
  br label %62

62:                                               ; preds = %62, %60
  %63 = phi i64 [ 0, %60 ], [ %66, %62 ]
  %64 = getelementptr inbounds ptr, ptr %35, i64 %63
  store <2 x ptr> zeroinitializer, ptr %64, align 8
  %65 = getelementptr inbounds ptr, ptr %64, i64 2
  store <2 x ptr> zeroinitializer, ptr %65, align 8
  %66 = add nuw i64 %63, 4
  %67 = icmp eq i64 %66, %61
  br i1 %67, label %68, label %62, !llvm.loop !5

68:                                               ; preds = %62
  %69 = icmp eq i64 %8, %61
  br i1 %69, label %101, label %70

70:                                               ; preds = %58, %68
  %71 = phi i64 [ 0, %58 ], [ %61, %68 ]
  br label %104

72:                                               ; preds = %72, %43
  %73 = phi i64 [ 0, %43 ], [ %98, %72 ]
  %74 = phi i64 [ 0, %43 ], [ %99, %72 ]
  %75 = getelementptr inbounds %struct.View, ptr %32, i64 %73
  %76 = getelementptr inbounds %struct.View, ptr %75, i64 0, i32 1
  store ptr null, ptr %76, align 8
  %77 = or i64 %73, 1
  %78 = getelementptr inbounds %struct.View, ptr %32, i64 %77
  %79 = getelementptr inbounds %struct.View, ptr %78, i64 0, i32 1
  store ptr null, ptr %79, align 8
  %80 = or i64 %73, 2
  %81 = getelementptr inbounds %struct.View, ptr %32, i64 %80
  %82 = getelementptr inbounds %struct.View, ptr %81, i64 0, i32 1
  store ptr null, ptr %82, align 8
  %83 = or i64 %73, 3
  %84 = getelementptr inbounds %struct.View, ptr %32, i64 %83
  %85 = getelementptr inbounds %struct.View, ptr %84, i64 0, i32 1
  store ptr null, ptr %85, align 8
  %86 = or i64 %73, 4
  %87 = getelementptr inbounds %struct.View, ptr %32, i64 %86
  %88 = getelementptr inbounds %struct.View, ptr %87, i64 0, i32 1
  store ptr null, ptr %88, align 8
  %89 = or i64 %73, 5
  %90 = getelementptr inbounds %struct.View, ptr %32, i64 %89
  %91 = getelementptr inbounds %struct.View, ptr %90, i64 0, i32 1
  store ptr null, ptr %91, align 8
  %92 = or i64 %73, 6
  %93 = getelementptr inbounds %struct.View, ptr %32, i64 %92
  %94 = getelementptr inbounds %struct.View, ptr %93, i64 0, i32 1
  store ptr null, ptr %94, align 8
  %95 = or i64 %73, 7
  %96 = getelementptr inbounds %struct.View, ptr %32, i64 %95
  %97 = getelementptr inbounds %struct.View, ptr %96, i64 0, i32 1
  store ptr null, ptr %97, align 8
  %98 = add nuw nsw i64 %73, 8
  %99 = add i64 %74, 8
  %100 = icmp eq i64 %99, %44
  br i1 %100, label %45, label %72, !llvm.loop !9

101:                                              ; preds = %104, %68, %56
  %102 = load i64, ptr %11, align 8
  %103 = icmp sgt i64 %102, 0
  br i1 %103, label %205, label %109

104:                                              ; preds = %70, %104
  %105 = phi i64 [ %107, %104 ], [ %71, %70 ]
  %106 = getelementptr inbounds ptr, ptr %35, i64 %105
  store ptr null, ptr %106, align 8
  %107 = add nuw nsw i64 %105, 1
  %108 = icmp eq i64 %107, %8
  br i1 %108, label %101, label %104, !llvm.loop !10

109:                                              ; preds = %205, %101
  %110 = icmp eq ptr %2, null
  br i1 %110, label %113, label %111

111:                                              ; preds = %109
  %112 = tail call i64 @PyTuple_Size(ptr noundef nonnull %2) #4
  br label %113

113:                                              ; preds = %111, %109
  %114 = phi i64 [ %112, %111 ], [ 0, %109 ]
  %115 = add nsw i64 %114, %1
  %116 = load i64, ptr %5, align 8
  %117 = icmp sgt i64 %115, %116
  br i1 %117, label %120, label %118

118:                                              ; preds = %113
  %119 = icmp sgt i64 %116, 0
  br i1 %119, label %129, label %124

120:                                              ; preds = %113
  %121 = load ptr, ptr @PyExc_TypeError, align 8
  %122 = load ptr, ptr %3, align 8
  %123 = tail call ptr (ptr, ptr, ...) @PyErr_Format(ptr noundef %121, ptr noundef nonnull @.str, ptr noundef %122, i64 noundef %116, i64 noundef %115) #4
  br label %605

124:                                              ; preds = %135, %118
  %125 = phi i64 [ %116, %118 ], [ %139, %135 ]
  %126 = icmp sgt i64 %114, 0
  br i1 %126, label %127, label %143

127:                                              ; preds = %124
  %128 = getelementptr inbounds %struct.Function, ptr %3, i64 0, i32 5
  br label %152

129:                                              ; preds = %118, %135
  %130 = phi i64 [ %138, %135 ], [ 0, %118 ]
  %131 = icmp slt i64 %130, %1
  br i1 %131, label %132, label %135

132:                                              ; preds = %129
  %133 = getelementptr inbounds ptr, ptr %0, i64 %130
  %134 = load ptr, ptr %133, align 8
  br label %135

135:                                              ; preds = %132, %129
  %136 = phi ptr [ %134, %132 ], [ null, %129 ]
  %137 = getelementptr inbounds ptr, ptr %34, i64 %130
  store ptr %136, ptr %137, align 8
  %138 = add nuw nsw i64 %130, 1
  %139 = load i64, ptr %5, align 8
  %140 = icmp slt i64 %138, %139
  br i1 %140, label %129, label %124, !llvm.loop !11

141:                                              ; preds = %182
  %142 = load i64, ptr %5, align 8
  br label %143

143:                                              ; preds = %141, %124
  %144 = phi i64 [ %142, %141 ], [ %125, %124 ]
  %145 = icmp slt i64 %144, 1
  br i1 %145, label %149, label %146

146:                                              ; preds = %143
  %147 = load ptr, ptr %34, align 8
  %148 = icmp eq ptr %147, null
  br i1 %148, label %598, label %201

149:                                              ; preds = %201, %192, %143
  br i1 %39, label %150, label %353

150:                                              ; preds = %149
  %151 = getelementptr inbounds %struct.Function, ptr %3, i64 0, i32 5
  br label %211

152:                                              ; preds = %182, %127
  %153 = phi i64 [ 0, %127 ], [ %186, %182 ]
  %154 = tail call ptr @PyTuple_GetItem(ptr noundef %2, i64 noundef %153) #4
  %155 = load i64, ptr %5, align 8
  %156 = icmp sgt i64 %155, 0
  br i1 %156, label %157, label %170

157:                                              ; preds = %152, %166
  %158 = phi i64 [ %167, %166 ], [ 0, %152 ]
  %159 = load ptr, ptr %128, align 8
  %160 = getelementptr inbounds %struct.Array, ptr %159, i64 %158
  %161 = load ptr, ptr %160, align 8
  %162 = tail call i32 @PyUnicode_CompareWithASCIIString(ptr noundef %154, ptr noundef %161) #4
  %163 = icmp eq i32 %162, 0
  br i1 %163, label %164, label %166

164:                                              ; preds = %157
  %165 = load i64, ptr %5, align 8
  br label %170

166:                                              ; preds = %157
  %167 = add nuw nsw i64 %158, 1
  %168 = load i64, ptr %5, align 8
  %169 = icmp slt i64 %167, %168
  br i1 %169, label %157, label %170, !llvm.loop !12

170:                                              ; preds = %166, %164, %152
  %171 = phi i64 [ %155, %152 ], [ %165, %164 ], [ %168, %166 ]
  %172 = phi i64 [ 0, %152 ], [ %158, %164 ], [ %167, %166 ]
  %173 = icmp eq i64 %172, %171
  br i1 %173, label %178, label %174

174:                                              ; preds = %170
  %175 = getelementptr inbounds ptr, ptr %34, i64 %172
  %176 = load ptr, ptr %175, align 8
  %177 = icmp eq ptr %176, null
  br i1 %177, label %182, label %178

178:                                              ; preds = %174, %170
  %179 = load ptr, ptr @PyExc_TypeError, align 8
  %180 = load ptr, ptr %3, align 8
  %181 = tail call ptr (ptr, ptr, ...) @PyErr_Format(ptr noundef %179, ptr noundef nonnull @.str.1, ptr noundef %180, ptr noundef %154) #4
  br label %605

182:                                              ; preds = %174
  %183 = add nsw i64 %153, %1
  %184 = getelementptr inbounds ptr, ptr %0, i64 %183
  %185 = load ptr, ptr %184, align 8
  store ptr %185, ptr %175, align 8
  %186 = add nuw nsw i64 %153, 1
  %187 = icmp eq i64 %186, %114
  br i1 %187, label %141, label %152, !llvm.loop !13

188:                                              ; preds = %201
  %189 = getelementptr inbounds ptr, ptr %34, i64 %203
  %190 = load ptr, ptr %189, align 8
  %191 = icmp eq ptr %190, null
  br i1 %191, label %192, label %201, !llvm.loop !14

192:                                              ; preds = %188
  %193 = icmp slt i64 %203, %144
  %194 = load ptr, ptr @PyExc_TypeError, align 8
  %195 = load ptr, ptr %3, align 8
  %196 = getelementptr inbounds %struct.Function, ptr %3, i64 0, i32 5
  %197 = load ptr, ptr %196, align 8
  %198 = getelementptr inbounds %struct.Array, ptr %197, i64 %203
  %199 = load ptr, ptr %198, align 8
  %200 = tail call ptr (ptr, ptr, ...) @PyErr_Format(ptr noundef %194, ptr noundef nonnull @.str.2, ptr noundef %195, ptr noundef %199) #4
  br i1 %193, label %605, label %149

201:                                              ; preds = %146, %188
  %202 = phi i64 [ %203, %188 ], [ 0, %146 ]
  %203 = add nuw nsw i64 %202, 1
  %204 = icmp eq i64 %203, %144
  br i1 %204, label %149, label %188, !llvm.loop !14

205:                                              ; preds = %101, %205
  %206 = phi i64 [ %208, %205 ], [ 0, %101 ]
  %207 = getelementptr inbounds i64, ptr %36, i64 %206
  store i64 -1, ptr %207, align 8
  %208 = add nuw nsw i64 %206, 1
  %209 = load i64, ptr %11, align 8
  %210 = icmp slt i64 %208, %209
  br i1 %210, label %205, label %109, !llvm.loop !15

211:                                              ; preds = %150, %350
  %212 = phi i64 [ 0, %150 ], [ %351, %350 ]
  %213 = load ptr, ptr %151, align 8
  %214 = getelementptr inbounds %struct.Array, ptr %213, i64 %212
  %215 = getelementptr inbounds ptr, ptr %34, i64 %212
  %216 = load ptr, ptr %215, align 8
  %217 = getelementptr inbounds %struct.View, ptr %32, i64 %212
  %218 = getelementptr inbounds ptr, ptr %33, i64 %212
  %219 = shl nsw i64 %212, 4
  %220 = getelementptr inbounds i8, ptr %31, i64 %219
  %221 = getelementptr inbounds %struct.Array, ptr %213, i64 %212, i32 5
  %222 = load i64, ptr %221, align 8
  %223 = icmp eq i64 %222, 0
  %224 = getelementptr inbounds %struct.Array, ptr %213, i64 %212, i32 6
  %225 = load i64, ptr %224, align 8
  %226 = and i64 %225, 1
  %227 = icmp eq i64 %226, 0
  %228 = select i1 %223, i1 %227, i1 false
  %229 = and i64 %225, 2
  %230 = icmp eq i64 %229, 0
  br i1 %230, label %231, label %347

231:                                              ; preds = %211
  %232 = trunc i64 %225 to i32
  %233 = and i32 %232, 1
  %234 = or i32 %233, 60
  %235 = tail call i32 @PyObject_GetBuffer(ptr noundef %216, ptr noundef nonnull %217, i32 noundef %234) #4
  %236 = icmp eq i32 %235, 0
  br i1 %236, label %250, label %237

237:                                              ; preds = %231
  %238 = getelementptr inbounds %struct.View, ptr %217, i64 0, i32 1
  store ptr null, ptr %238, align 8
  tail call void @PyErr_Clear() #4
  br i1 %228, label %347, label %239

239:                                              ; preds = %237
  %240 = load i64, ptr %224, align 8
  %241 = and i64 %240, 1
  %242 = icmp eq i64 %241, 0
  %243 = select i1 %242, ptr @.str.4, ptr @.str.3
  %244 = load ptr, ptr @PyExc_TypeError, align 8
  %245 = load ptr, ptr %3, align 8
  %246 = load ptr, ptr %214, align 8
  %247 = getelementptr inbounds %struct.Array, ptr %213, i64 %212, i32 1
  %248 = load ptr, ptr %247, align 8
  %249 = tail call ptr (ptr, ptr, ...) @PyErr_Format(ptr noundef %244, ptr noundef nonnull @.str.10, ptr noundef %245, ptr noundef %246, ptr noundef nonnull %243, ptr noundef %248) #4
  br label %605

250:                                              ; preds = %231
  %251 = getelementptr inbounds %struct.View, ptr %217, i64 0, i32 6
  %252 = load ptr, ptr %251, align 8
  %253 = icmp eq ptr %252, null
  %254 = select i1 %253, ptr @.str.11, ptr %252
  %255 = load i8, ptr %254, align 1
  switch i8 %255, label %258 [
    i8 64, label %256
    i8 61, label %256
    i8 60, label %256
  ]

256:                                              ; preds = %250, %250, %250
  %257 = getelementptr inbounds i8, ptr %254, i64 1
  br label %258

258:                                              ; preds = %256, %250
  %259 = phi ptr [ %257, %256 ], [ %254, %250 ]
  %260 = getelementptr inbounds %struct.View, ptr %217, i64 0, i32 3
  %261 = load i64, ptr %260, align 8
  %262 = getelementptr inbounds %struct.Array, ptr %213, i64 %212, i32 4
  %263 = load i64, ptr %262, align 8
  %264 = icmp eq i64 %261, %263
  br i1 %264, label %265, label %289

265:                                              ; preds = %258
  %266 = load i8, ptr %259, align 1
  %267 = icmp eq i8 %266, 0
  br i1 %267, label %289, label %268

268:                                              ; preds = %265
  %269 = getelementptr inbounds i8, ptr %259, i64 1
  %270 = load i8, ptr %269, align 1
  %271 = icmp eq i8 %270, 0
  %272 = icmp eq i8 %266, 90
  %273 = select i1 %271, i1 true, i1 %272
  br i1 %273, label %274, label %289

274:                                              ; preds = %268
  %275 = getelementptr inbounds %struct.Array, ptr %213, i64 %212, i32 3
  %276 = load i64, ptr %275, align 8
  switch i64 %276, label %280 [
    i64 105, label %277
    i64 117, label %278
    i64 102, label %286
    i64 104, label %279
  ]

277:                                              ; preds = %274
  switch i8 %266, label %289 [
    i8 98, label %296
    i8 104, label %296
    i8 105, label %296
    i8 108, label %296
    i8 113, label %296
  ]

278:                                              ; preds = %274
  switch i8 %266, label %289 [
    i8 66, label %296
    i8 72, label %296
    i8 73, label %296
    i8 76, label %296
    i8 81, label %296
  ]

279:                                              ; preds = %274
  switch i8 %266, label %289 [
    i8 72, label %296
    i8 69, label %296
  ]

280:                                              ; preds = %274
  %281 = sext i8 %266 to i32
  %282 = trunc i64 %276 to i32
  %283 = shl i32 %282, 24
  %284 = ashr exact i32 %283, 24
  %285 = icmp eq i32 %284, %281
  br i1 %285, label %296, label %289

286:                                              ; preds = %274
  %287 = add i8 %266, -100
  %288 = icmp ult i8 %287, 3
  br i1 %288, label %296, label %289

289:                                              ; preds = %286, %280, %279, %278, %277, %268, %265, %258
  %290 = load ptr, ptr @PyExc_TypeError, align 8
  %291 = load ptr, ptr %3, align 8
  %292 = load ptr, ptr %214, align 8
  %293 = getelementptr inbounds %struct.Array, ptr %213, i64 %212, i32 1
  %294 = load ptr, ptr %293, align 8
  %295 = tail call ptr (ptr, ptr, ...) @PyErr_Format(ptr noundef %290, ptr noundef nonnull @.str.10, ptr noundef %291, ptr noundef %292, ptr noundef nonnull @.str.5, ptr noundef %294) #4
  br label %605

296:                                              ; preds = %286, %280, %279, %279, %278, %278, %278, %278, %278, %277, %277, %277, %277, %277
  %297 = getelementptr inbounds %struct.View, ptr %217, i64 0, i32 5
  %298 = load i32, ptr %297, align 4
  %299 = sext i32 %298 to i64
  %300 = load i64, ptr %221, align 8
  %301 = icmp eq i64 %300, %299
  br i1 %301, label %302, label %307

302:                                              ; preds = %296
  %303 = icmp sgt i32 %298, 0
  br i1 %303, label %304, label %345

304:                                              ; preds = %302
  %305 = getelementptr inbounds %struct.Array, ptr %213, i64 %212, i32 8
  %306 = getelementptr inbounds %struct.View, ptr %217, i64 0, i32 7
  br label %314

307:                                              ; preds = %296
  %308 = load ptr, ptr @PyExc_TypeError, align 8
  %309 = load ptr, ptr %3, align 8
  %310 = load ptr, ptr %214, align 8
  %311 = getelementptr inbounds %struct.Array, ptr %213, i64 %212, i32 1
  %312 = load ptr, ptr %311, align 8
  %313 = tail call ptr (ptr, ptr, ...) @PyErr_Format(ptr noundef %308, ptr noundef nonnull @.str.10, ptr noundef %309, ptr noundef %310, ptr noundef nonnull @.str.6, ptr noundef %312) #4
  br label %605

314:                                              ; preds = %341, %304
  %315 = phi i64 [ %299, %304 ], [ %342, %341 ]
  %316 = phi i64 [ 0, %304 ], [ %343, %341 ]
  %317 = load ptr, ptr %305, align 8
  %318 = getelementptr inbounds i64, ptr %317, i64 %316
  %319 = load i64, ptr %318, align 8
  %320 = load ptr, ptr %306, align 8
  %321 = getelementptr inbounds i64, ptr %320, i64 %316
  %322 = load i64, ptr %321, align 8
  %323 = icmp slt i64 %319, 0
  br i1 %323, label %324, label %331

324:                                              ; preds = %314
  %325 = xor i64 %319, -1
  %326 = getelementptr inbounds i64, ptr %36, i64 %325
  %327 = load i64, ptr %326, align 8
  %328 = icmp slt i64 %327, 0
  br i1 %328, label %329, label %331

329:                                              ; preds = %324
  store i64 %322, ptr %326, align 8
  %330 = load i64, ptr %221, align 8
  br label %341

331:                                              ; preds = %324, %314
  %332 = phi i64 [ %319, %314 ], [ %327, %324 ]
  %333 = icmp eq i64 %322, %332
  br i1 %333, label %341, label %334

334:                                              ; preds = %331
  %335 = load ptr, ptr @PyExc_ValueError, align 8
  %336 = load ptr, ptr %3, align 8
  %337 = load ptr, ptr %214, align 8
  %338 = getelementptr inbounds %struct.Array, ptr %213, i64 %212, i32 1
  %339 = load ptr, ptr %338, align 8
  %340 = tail call ptr (ptr, ptr, ...) @PyErr_Format(ptr noundef %335, ptr noundef nonnull @.str.7, ptr noundef %336, i64 noundef %316, ptr noundef %337, i64 noundef %322, i64 noundef %332, ptr noundef %339) #4
  br label %605

341:                                              ; preds = %331, %329
  %342 = phi i64 [ %315, %331 ], [ %330, %329 ]
  %343 = add nuw nsw i64 %316, 1
  %344 = icmp slt i64 %343, %342
  br i1 %344, label %314, label %345, !llvm.loop !16

345:                                              ; preds = %341, %302
  %346 = load ptr, ptr %217, align 8
  store ptr %346, ptr %218, align 8
  br label %350

347:                                              ; preds = %237, %211
  store ptr %220, ptr %218, align 8
  %348 = tail call fastcc i32 @take_number(ptr noundef nonnull %3, ptr noundef nonnull %214, ptr noundef %216, ptr noundef nonnull %220) #5
  %349 = icmp eq i32 %348, 0
  br i1 %349, label %605, label %350

350:                                              ; preds = %345, %347
  %351 = add nuw nsw i64 %212, 1
  %352 = icmp eq i64 %351, %6
  br i1 %352, label %353, label %211, !llvm.loop !17

353:                                              ; preds = %350, %149
  %354 = load i64, ptr %5, align 8
  %355 = icmp slt i64 %354, 1
  br i1 %355, label %403, label %356

356:                                              ; preds = %353
  %357 = getelementptr inbounds %struct.Function, ptr %3, i64 0, i32 5
  %358 = load ptr, ptr %357, align 8
  br label %359

359:                                              ; preds = %399, %356
  %360 = phi i1 [ false, %356 ], [ %401, %399 ]
  %361 = phi i64 [ 0, %356 ], [ %400, %399 ]
  %362 = getelementptr inbounds %struct.Array, ptr %358, i64 %361, i32 6
  %363 = load i64, ptr %362, align 8
  %364 = and i64 %363, 1
  %365 = icmp eq i64 %364, 0
  br i1 %365, label %399, label %366

366:                                              ; preds = %359
  %367 = getelementptr inbounds %struct.View, ptr %32, i64 %361
  %368 = load ptr, ptr %367, align 8
  %369 = getelementptr inbounds %struct.View, ptr %32, i64 %361, i32 2
  %370 = load i64, ptr %369, align 8
  %371 = getelementptr inbounds i8, ptr %368, i64 %370
  br label %372

372:                                              ; preds = %388, %366
  %373 = phi i64 [ %389, %388 ], [ 0, %366 ]
  %374 = getelementptr inbounds %struct.View, ptr %32, i64 %373
  %375 = load ptr, ptr %374, align 8
  %376 = icmp eq i64 %373, %361
  br i1 %376, label %388, label %377

377:                                              ; preds = %372
  %378 = getelementptr inbounds %struct.View, ptr %32, i64 %373, i32 1
  %379 = load ptr, ptr %378, align 8
  %380 = icmp ne ptr %379, null
  %381 = icmp ult ptr %375, %371
  %382 = select i1 %380, i1 %381, i1 false
  br i1 %382, label %383, label %388

383:                                              ; preds = %377
  %384 = getelementptr inbounds %struct.View, ptr %32, i64 %373, i32 2
  %385 = load i64, ptr %384, align 8
  %386 = getelementptr inbounds i8, ptr %375, i64 %385
  %387 = icmp ult ptr %368, %386
  br i1 %387, label %391, label %388

388:                                              ; preds = %383, %377, %372
  %389 = add nuw nsw i64 %373, 1
  %390 = icmp eq i64 %389, %354
  br i1 %390, label %399, label %372, !llvm.loop !18

391:                                              ; preds = %383
  %392 = load ptr, ptr @PyExc_ValueError, align 8
  %393 = load ptr, ptr %3, align 8
  %394 = getelementptr inbounds %struct.Array, ptr %358, i64 %361
  %395 = load ptr, ptr %394, align 8
  %396 = getelementptr inbounds %struct.Array, ptr %358, i64 %373
  %397 = load ptr, ptr %396, align 8
  %398 = tail call ptr (ptr, ptr, ...) @PyErr_Format(ptr noundef %392, ptr noundef nonnull @.str.12, ptr noundef %393, ptr noundef %395, ptr noundef %397) #4
  br i1 %360, label %403, label %605

399:                                              ; preds = %388, %359
  %400 = add nuw nsw i64 %361, 1
  %401 = icmp sge i64 %400, %354
  %402 = icmp eq i64 %400, %354
  br i1 %402, label %403, label %359, !llvm.loop !19

403:                                              ; preds = %399, %391, %353
  %404 = getelementptr inbounds %struct.Function, ptr %3, i64 0, i32 7
  %405 = load ptr, ptr %404, align 8
  %406 = tail call i64 %405(ptr noundef %36) #4
  %407 = icmp slt i64 %406, 0
  br i1 %407, label %408, label %450

408:                                              ; preds = %403
  %409 = sub nsw i64 0, %406
  %410 = getelementptr inbounds %struct.Function, ptr %3, i64 0, i32 10
  %411 = load ptr, ptr %410, align 8
  %412 = trunc i64 %409 to i32
  %413 = tail call ptr %411(i32 noundef %412) #4
  %414 = icmp ult i64 %409, 100
  %415 = load ptr, ptr @PyExc_ValueError, align 8
  %416 = load ptr, ptr @PyExc_IndexError, align 8
  %417 = select i1 %414, ptr %415, ptr %416
  %418 = load ptr, ptr @PyExc_ArithmeticError, align 8
  br label %419

419:                                              ; preds = %444, %408
  %420 = phi ptr [ %417, %408 ], [ %445, %444 ]
  %421 = phi ptr [ %413, %408 ], [ %446, %444 ]
  %422 = load i8, ptr %421, align 1
  switch i8 %422, label %444 [
    i8 0, label %447
    i8 76, label %423
    i8 78, label %435
  ]

423:                                              ; preds = %419
  %424 = getelementptr inbounds i8, ptr %421, i64 1
  %425 = load i8, ptr %424, align 1
  %426 = icmp eq i8 %425, 105
  br i1 %426, label %427, label %444

427:                                              ; preds = %423
  %428 = getelementptr inbounds i8, ptr %421, i64 2
  %429 = load i8, ptr %428, align 1
  %430 = icmp eq i8 %429, 110
  br i1 %430, label %431, label %444

431:                                              ; preds = %427
  %432 = getelementptr inbounds i8, ptr %421, i64 3
  %433 = load i8, ptr %432, align 1
  %434 = icmp eq i8 %433, 65
  br i1 %434, label %443, label %444

435:                                              ; preds = %419
  %436 = getelementptr inbounds i8, ptr %421, i64 1
  %437 = load i8, ptr %436, align 1
  %438 = icmp eq i8 %437, 97
  br i1 %438, label %439, label %444

439:                                              ; preds = %435
  %440 = getelementptr inbounds i8, ptr %421, i64 2
  %441 = load i8, ptr %440, align 1
  %442 = icmp eq i8 %441, 78
  br i1 %442, label %443, label %444

443:                                              ; preds = %439, %431
  br label %444

444:                                              ; preds = %443, %439, %435, %431, %427, %423, %419
  %445 = phi ptr [ %418, %443 ], [ %420, %439 ], [ %420, %435 ], [ %420, %431 ], [ %420, %427 ], [ %420, %423 ], [ %420, %419 ]
  %446 = getelementptr inbounds i8, ptr %421, i64 1
  br label %419, !llvm.loop !20

447:                                              ; preds = %419
  %448 = load ptr, ptr %3, align 8
  %449 = tail call ptr (ptr, ptr, ...) @PyErr_Format(ptr noundef %420, ptr noundef nonnull @.str.13, ptr noundef %448, ptr noundef %413) #4
  br label %605

450:                                              ; preds = %403
  %451 = getelementptr inbounds %struct.Function, ptr %3, i64 0, i32 8
  %452 = load ptr, ptr %451, align 8
  %453 = tail call i64 %452(ptr noundef %36, ptr noundef %38) #4
  br i1 %57, label %454, label %579

454:                                              ; preds = %450
  %455 = getelementptr inbounds %struct.Function, ptr %3, i64 0, i32 6
  br label %456

456:                                              ; preds = %454, %570
  %457 = phi i64 [ 0, %454 ], [ %577, %570 ]
  %458 = phi i64 [ 0, %454 ], [ %576, %570 ]
  %459 = load ptr, ptr %455, align 8
  %460 = getelementptr inbounds %struct.Array, ptr %459, i64 %457, i32 7
  %461 = load i64, ptr %460, align 8
  %462 = icmp sgt i64 %461, -1
  br i1 %462, label %463, label %466

463:                                              ; preds = %456
  %464 = getelementptr inbounds ptr, ptr %33, i64 %461
  %465 = load ptr, ptr %464, align 8
  br label %570

466:                                              ; preds = %456
  %467 = getelementptr inbounds i64, ptr %38, i64 %458
  %468 = getelementptr inbounds %struct.Array, ptr %459, i64 %457, i32 4
  %469 = load i64, ptr %468, align 8
  %470 = getelementptr inbounds %struct.Array, ptr %459, i64 %457, i32 5
  %471 = load i64, ptr %470, align 8
  %472 = icmp sgt i64 %471, 0
  br i1 %472, label %473, label %486

473:                                              ; preds = %466, %480
  %474 = phi i64 [ %481, %480 ], [ %469, %466 ]
  %475 = phi i64 [ %482, %480 ], [ 0, %466 ]
  %476 = getelementptr inbounds i64, ptr %467, i64 %475
  %477 = load i64, ptr %476, align 8
  %478 = tail call { i64, i1 } @llvm.smul.with.overflow.i64(i64 %474, i64 %477)
  %479 = extractvalue { i64, i1 } %478, 1
  br i1 %479, label %545, label %480

480:                                              ; preds = %473
  %481 = extractvalue { i64, i1 } %478, 0
  %482 = add nuw nsw i64 %475, 1
  %483 = icmp eq i64 %482, %471
  br i1 %483, label %484, label %473, !llvm.loop !21

484:                                              ; preds = %480
  %485 = extractvalue { i64, i1 } %478, 0
  br label %486

486:                                              ; preds = %484, %466
  %487 = phi i64 [ %469, %466 ], [ %485, %484 ]
  %488 = icmp sgt i64 %487, 4611686018427387904
  br i1 %488, label %545, label %489

489:                                              ; preds = %486
  %490 = load ptr, ptr @result_type, align 8
  %491 = tail call ptr @PyType_GenericAlloc(ptr noundef %490, i64 noundef 0) #4
  %492 = icmp eq ptr %491, null
  br i1 %492, label %605, label %493

493:                                              ; preds = %489
  %494 = load i64, ptr %470, align 8
  %495 = shl nsw i64 %494, 4
  %496 = add nsw i64 %495, %487
  %497 = tail call ptr @PyMem_Malloc(i64 noundef %496) #4
  %498 = getelementptr inbounds %struct.Result, ptr %491, i64 0, i32 2
  store ptr %497, ptr %498, align 8
  %499 = icmp eq ptr %497, null
  br i1 %499, label %500, label %501

500:                                              ; preds = %493
  tail call void @Py_DecRef(ptr noundef nonnull %491) #4
  br label %545

501:                                              ; preds = %493
  %502 = load i64, ptr %470, align 8
  %503 = icmp sgt i64 %502, 0
  br i1 %503, label %504, label %556

504:                                              ; preds = %501
  %505 = and i64 %502, 1
  %506 = icmp eq i64 %505, 0
  br i1 %506, label %517, label %507

507:                                              ; preds = %504
  %508 = add nsw i64 %502, -1
  %509 = getelementptr inbounds i64, ptr %467, i64 %508
  %510 = load i64, ptr %509, align 8
  %511 = getelementptr inbounds i64, ptr %497, i64 %508
  store i64 %510, ptr %511, align 8
  %512 = load i64, ptr %470, align 8
  %513 = add nsw i64 %512, %508
  %514 = getelementptr inbounds i64, ptr %497, i64 %513
  store i64 %469, ptr %514, align 8
  %515 = load i64, ptr %509, align 8
  %516 = mul nsw i64 %515, %469
  br label %517

517:                                              ; preds = %507, %504
  %518 = phi i64 [ %502, %504 ], [ %508, %507 ]
  %519 = phi i64 [ %469, %504 ], [ %516, %507 ]
  %520 = icmp eq i64 %502, 1
  br i1 %520, label %521, label %523

521:                                              ; preds = %523, %517
  %522 = load i64, ptr %470, align 8
  br label %556

523:                                              ; preds = %517, %523
  %524 = phi i64 [ %535, %523 ], [ %518, %517 ]
  %525 = phi i64 [ %543, %523 ], [ %519, %517 ]
  %526 = add nsw i64 %524, -1
  %527 = getelementptr inbounds i64, ptr %467, i64 %526
  %528 = load i64, ptr %527, align 8
  %529 = getelementptr inbounds i64, ptr %497, i64 %526
  store i64 %528, ptr %529, align 8
  %530 = load i64, ptr %470, align 8
  %531 = add nsw i64 %530, %526
  %532 = getelementptr inbounds i64, ptr %497, i64 %531
  store i64 %525, ptr %532, align 8
  %533 = load i64, ptr %527, align 8
  %534 = mul nsw i64 %533, %525
  %535 = add nsw i64 %524, -2
  %536 = getelementptr inbounds i64, ptr %467, i64 %535
  %537 = load i64, ptr %536, align 8
  %538 = getelementptr inbounds i64, ptr %497, i64 %535
  store i64 %537, ptr %538, align 8
  %539 = load i64, ptr %470, align 8
  %540 = add nsw i64 %539, %535
  %541 = getelementptr inbounds i64, ptr %497, i64 %540
  store i64 %534, ptr %541, align 8
  %542 = load i64, ptr %536, align 8
  %543 = mul nsw i64 %542, %534
  %544 = icmp ugt i64 %526, 1
  br i1 %544, label %523, label %521, !llvm.loop !22

545:                                              ; preds = %473, %486, %500
  %546 = tail call ptr @PyErr_NoMemory() #4
  %547 = icmp eq ptr %546, null
  br i1 %547, label %605, label %548

548:                                              ; preds = %545
  %549 = getelementptr inbounds ptr, ptr %35, i64 %457
  store ptr %546, ptr %549, align 8
  %550 = getelementptr inbounds %struct.Result, ptr %546, i64 0, i32 2
  %551 = load ptr, ptr %550, align 8
  %552 = getelementptr inbounds %struct.Result, ptr %546, i64 0, i32 3
  %553 = load i64, ptr %552, align 8
  %554 = shl nsw i64 %553, 4
  %555 = getelementptr inbounds i8, ptr %551, i64 %554
  br label %570

556:                                              ; preds = %501, %521
  %557 = phi i64 [ %522, %521 ], [ %502, %501 ]
  %558 = getelementptr inbounds %struct.Result, ptr %491, i64 0, i32 3
  store i64 %557, ptr %558, align 8
  %559 = load i64, ptr %468, align 8
  %560 = getelementptr inbounds %struct.Result, ptr %491, i64 0, i32 4
  store i64 %559, ptr %560, align 8
  %561 = getelementptr inbounds %struct.Result, ptr %491, i64 0, i32 5
  store i64 %487, ptr %561, align 8
  %562 = getelementptr inbounds %struct.Array, ptr %459, i64 %457, i32 2
  %563 = load ptr, ptr %562, align 8
  %564 = getelementptr inbounds %struct.Result, ptr %491, i64 0, i32 6
  store ptr %563, ptr %564, align 8
  %565 = getelementptr inbounds ptr, ptr %35, i64 %457
  store ptr %491, ptr %565, align 8
  %566 = load ptr, ptr %498, align 8
  %567 = load i64, ptr %558, align 8
  %568 = shl nsw i64 %567, 4
  %569 = getelementptr inbounds i8, ptr %566, i64 %568
  br label %570

570:                                              ; preds = %463, %548, %556
  %571 = phi ptr [ %465, %463 ], [ %555, %548 ], [ %569, %556 ]
  %572 = add nsw i64 %457, %6
  %573 = getelementptr inbounds ptr, ptr %33, i64 %572
  store ptr %571, ptr %573, align 8
  %574 = getelementptr inbounds %struct.Array, ptr %459, i64 %457, i32 5
  %575 = load i64, ptr %574, align 8
  %576 = add nsw i64 %575, %458
  %577 = add nuw nsw i64 %457, 1
  %578 = icmp eq i64 %577, %8
  br i1 %578, label %579, label %456, !llvm.loop !23

579:                                              ; preds = %570, %450
  %580 = icmp eq i64 %406, 0
  br i1 %580, label %586, label %581

581:                                              ; preds = %579
  %582 = tail call ptr @PyMem_Malloc(i64 noundef %406) #4
  %583 = icmp eq ptr %582, null
  br i1 %583, label %584, label %586

584:                                              ; preds = %581
  %585 = tail call ptr @PyErr_NoMemory() #4
  br label %605

586:                                              ; preds = %581, %579
  %587 = phi ptr [ %582, %581 ], [ null, %579 ]
  %588 = tail call ptr @PyEval_SaveThread() #4
  %589 = getelementptr inbounds %struct.Function, ptr %3, i64 0, i32 9
  %590 = load ptr, ptr %589, align 8
  %591 = tail call i32 %590(ptr noundef %36, ptr noundef nonnull %33, ptr noundef %587, i64 noundef %406) #4
  tail call void @PyEval_RestoreThread(ptr noundef %588) #4
  %592 = icmp eq i32 %591, 0
  br i1 %592, label %596, label %593

593:                                              ; preds = %586
  %594 = sext i32 %591 to i64
  %595 = tail call fastcc ptr @raise_error(ptr noundef nonnull %3, i64 noundef %594) #5
  br label %605

596:                                              ; preds = %586
  %597 = tail call fastcc ptr @answer(ptr noundef nonnull %3, ptr noundef nonnull %34, ptr noundef nonnull %35) #5
  br label %605

598:                                              ; preds = %146
  %599 = load ptr, ptr @PyExc_TypeError, align 8
  %600 = load ptr, ptr %3, align 8
  %601 = getelementptr inbounds %struct.Function, ptr %3, i64 0, i32 5
  %602 = load ptr, ptr %601, align 8
  %603 = load ptr, ptr %602, align 8
  %604 = tail call ptr (ptr, ptr, ...) @PyErr_Format(ptr noundef %599, ptr noundef nonnull @.str.2, ptr noundef %600, ptr noundef %603) #4
  br label %605

605:                                              ; preds = %347, %489, %545, %598, %391, %192, %289, %334, %307, %239, %178, %120, %593, %596, %584, %447
  %606 = phi ptr [ null, %447 ], [ null, %584 ], [ %587, %596 ], [ %587, %593 ], [ null, %120 ], [ null, %178 ], [ null, %239 ], [ null, %307 ], [ null, %334 ], [ null, %289 ], [ null, %192 ], [ null, %391 ], [ null, %598 ], [ null, %545 ], [ null, %489 ], [ null, %347 ]
  %607 = phi ptr [ null, %447 ], [ null, %584 ], [ %597, %596 ], [ %595, %593 ], [ null, %120 ], [ null, %178 ], [ null, %239 ], [ null, %307 ], [ null, %334 ], [ null, %289 ], [ null, %192 ], [ null, %391 ], [ null, %598 ], [ null, %545 ], [ null, %489 ], [ null, %347 ]
  br i1 %39, label %609, label %608

608:                                              ; preds = %616, %605
  br i1 %57, label %620, label %619

609:                                              ; preds = %605, %616
  %610 = phi i64 [ %617, %616 ], [ 0, %605 ]
  %611 = getelementptr inbounds %struct.View, ptr %32, i64 %610
  %612 = getelementptr inbounds %struct.View, ptr %611, i64 0, i32 1
  %613 = load ptr, ptr %612, align 8
  %614 = icmp eq ptr %613, null
  br i1 %614, label %616, label %615

615:                                              ; preds = %609
  tail call void @PyBuffer_Release(ptr noundef nonnull %611) #4
  br label %616

616:                                              ; preds = %609, %615
  %617 = add nuw nsw i64 %610, 1
  %618 = icmp eq i64 %617, %6
  br i1 %618, label %608, label %609, !llvm.loop !24

619:                                              ; preds = %626, %608
  tail call void @PyMem_Free(ptr noundef %606) #4
  tail call void @PyMem_Free(ptr noundef nonnull %23) #4
  br label %629

620:                                              ; preds = %608, %626
  %621 = phi i64 [ %627, %626 ], [ 0, %608 ]
  %622 = getelementptr inbounds ptr, ptr %35, i64 %621
  %623 = load ptr, ptr %622, align 8
  %624 = icmp eq ptr %623, null
  br i1 %624, label %626, label %625

625:                                              ; preds = %620
  tail call void @Py_DecRef(ptr noundef nonnull %623) #4
  br label %626

626:                                              ; preds = %620, %625
  %627 = add nuw nsw i64 %621, 1
  %628 = icmp eq i64 %627, %8
  br i1 %628, label %619, label %620, !llvm.loop !25

629:                                              ; preds = %619, %25
  %630 = phi ptr [ %26, %25 ], [ %607, %619 ]
  ret ptr %630
}

; Function Attrs: mustprogress nocallback nofree nosync nounwind willreturn memory(argmem: readwrite)
declare void @llvm.lifetime.start.p0(i64 immarg, ptr nocapture) #1

declare ptr @PyMem_Malloc(i64 noundef) local_unnamed_addr #2

declare ptr @PyErr_NoMemory() local_unnamed_addr #2

; Function Attrs: mustprogress nocallback nofree nosync nounwind willreturn memory(argmem: readwrite)
declare void @llvm.lifetime.end.p0(i64 immarg, ptr nocapture) #1

; Function Attrs: nounwind
define internal fastcc ptr @raise_error(ptr nocapture noundef readonly %0, i64 noundef %1) unnamed_addr #0 {
  %3 = getelementptr inbounds %struct.Function, ptr %0, i64 0, i32 10
  %4 = load ptr, ptr %3, align 8
  %5 = trunc i64 %1 to i32
  %6 = tail call ptr %4(i32 noundef %5) #4
  %7 = icmp slt i64 %1, 100
  %8 = load ptr, ptr @PyExc_ValueError, align 8
  %9 = load ptr, ptr @PyExc_IndexError, align 8
  %10 = select i1 %7, ptr %8, ptr %9
  %11 = load ptr, ptr @PyExc_ArithmeticError, align 8
  br label %12

12:                                               ; preds = %40, %2
  %13 = phi ptr [ %10, %2 ], [ %41, %40 ]
  %14 = phi ptr [ %6, %2 ], [ %42, %40 ]
  %15 = load i8, ptr %14, align 1
  switch i8 %15, label %40 [
    i8 0, label %16
    i8 76, label %19
    i8 78, label %31
  ]

16:                                               ; preds = %12
  %17 = load ptr, ptr %0, align 8
  %18 = tail call ptr (ptr, ptr, ...) @PyErr_Format(ptr noundef %13, ptr noundef nonnull @.str.13, ptr noundef %17, ptr noundef %6) #4
  ret ptr %18

19:                                               ; preds = %12
  %20 = getelementptr inbounds i8, ptr %14, i64 1
  %21 = load i8, ptr %20, align 1
  %22 = icmp eq i8 %21, 105
  br i1 %22, label %23, label %40

23:                                               ; preds = %19
  %24 = getelementptr inbounds i8, ptr %14, i64 2
  %25 = load i8, ptr %24, align 1
  %26 = icmp eq i8 %25, 110
  br i1 %26, label %27, label %40

27:                                               ; preds = %23
  %28 = getelementptr inbounds i8, ptr %14, i64 3
  %29 = load i8, ptr %28, align 1
  %30 = icmp eq i8 %29, 65
  br i1 %30, label %39, label %40

31:                                               ; preds = %12
  %32 = getelementptr inbounds i8, ptr %14, i64 1
  %33 = load i8, ptr %32, align 1
  %34 = icmp eq i8 %33, 97
  br i1 %34, label %35, label %40

35:                                               ; preds = %31
  %36 = getelementptr inbounds i8, ptr %14, i64 2
  %37 = load i8, ptr %36, align 1
  %38 = icmp eq i8 %37, 78
  br i1 %38, label %39, label %40

39:                                               ; preds = %35, %27
  br label %40

40:                                               ; preds = %12, %19, %23, %27, %31, %35, %39
  %41 = phi ptr [ %11, %39 ], [ %13, %35 ], [ %13, %31 ], [ %13, %27 ], [ %13, %23 ], [ %13, %19 ], [ %13, %12 ]
  %42 = getelementptr inbounds i8, ptr %14, i64 1
  br label %12, !llvm.loop !20
}

declare ptr @PyEval_SaveThread() local_unnamed_addr #2

declare void @PyEval_RestoreThread(ptr noundef) local_unnamed_addr #2

; Function Attrs: nounwind
define internal fastcc ptr @answer(ptr nocapture noundef readonly %0, ptr nocapture noundef readonly %1, ptr nocapture noundef readonly %2) unnamed_addr #0 {
  %4 = getelementptr inbounds %struct.Function, ptr %0, i64 0, i32 2
  %5 = load i64, ptr %4, align 8
  %6 = icmp eq i64 %5, 1
  br i1 %6, label %15, label %7

7:                                                ; preds = %3
  %8 = tail call ptr @PyTuple_New(i64 noundef %5) #4
  %9 = load i64, ptr %4, align 8
  %10 = icmp eq i64 %9, 1
  %11 = icmp ne ptr %8, null
  %12 = select i1 %10, i1 true, i1 %11
  br i1 %12, label %13, label %42

13:                                               ; preds = %7
  %14 = icmp sgt i64 %9, 0
  br i1 %14, label %15, label %42

15:                                               ; preds = %3, %13
  %16 = phi ptr [ %8, %13 ], [ null, %3 ]
  %17 = phi i1 [ %11, %13 ], [ false, %3 ]
  %18 = getelementptr inbounds %struct.Function, ptr %0, i64 0, i32 6
  br label %19

19:                                               ; preds = %15, %37
  %20 = phi i64 [ 0, %15 ], [ %39, %37 ]
  %21 = load ptr, ptr %18, align 8
  %22 = getelementptr inbounds %struct.Array, ptr %21, i64 %20, i32 7
  %23 = load i64, ptr %22, align 8
  %24 = icmp sgt i64 %23, -1
  br i1 %24, label %29, label %25

25:                                               ; preds = %19
  %26 = getelementptr inbounds ptr, ptr %2, i64 %20
  %27 = load ptr, ptr %26, align 8
  %28 = tail call ptr @PyMemoryView_FromObject(ptr noundef %27) #4
  br label %32

29:                                               ; preds = %19
  %30 = getelementptr inbounds ptr, ptr %1, i64 %23
  %31 = load ptr, ptr %30, align 8
  tail call void @Py_IncRef(ptr noundef %31) #4
  br label %32

32:                                               ; preds = %25, %29
  %33 = phi ptr [ %31, %29 ], [ %28, %25 ]
  br i1 %17, label %34, label %42

34:                                               ; preds = %32
  %35 = icmp eq ptr %33, null
  br i1 %35, label %36, label %37

36:                                               ; preds = %34
  tail call void @Py_DecRef(ptr noundef nonnull %16) #4
  br label %42

37:                                               ; preds = %34
  %38 = tail call i32 @PyTuple_SetItem(ptr noundef nonnull %16, i64 noundef %20, ptr noundef nonnull %33) #4
  %39 = add nuw nsw i64 %20, 1
  %40 = load i64, ptr %4, align 8
  %41 = icmp slt i64 %39, %40
  br i1 %41, label %19, label %42, !llvm.loop !26

42:                                               ; preds = %32, %37, %13, %36, %7
  %43 = phi ptr [ null, %7 ], [ null, %36 ], [ %8, %13 ], [ %33, %32 ], [ %16, %37 ]
  ret ptr %43
}

declare void @PyBuffer_Release(ptr noundef) local_unnamed_addr #2

declare void @Py_DecRef(ptr noundef) local_unnamed_addr #2

declare void @PyMem_Free(ptr noundef) local_unnamed_addr #2

; Function Attrs: nounwind
define hidden ptr @gc_extension_init(ptr noundef %0, ptr noundef %1) local_unnamed_addr #0 {
  store ptr %1, ptr @gc_extension_init.spec, align 8
  %3 = load ptr, ptr @result_type, align 8
  %4 = icmp eq ptr %3, null
  br i1 %4, label %5, label %8

5:                                                ; preds = %2
  %6 = tail call ptr @PyType_FromSpec(ptr noundef nonnull @gc_extension_init.spec) #4
  store ptr %6, ptr @result_type, align 8
  %7 = icmp eq ptr %6, null
  br i1 %7, label %10, label %8

8:                                                ; preds = %5, %2
  %9 = tail call ptr @PyModule_Create2(ptr noundef %0, i32 noundef 3) #4
  br label %10

10:                                               ; preds = %5, %8
  %11 = phi ptr [ %9, %8 ], [ null, %5 ]
  ret ptr %11
}

; Function Attrs: nounwind
define internal i32 @result_buffer(ptr noundef %0, ptr nocapture noundef %1, i32 %2) #0 {
  %4 = getelementptr inbounds %struct.Result, ptr %0, i64 0, i32 2
  %5 = load ptr, ptr %4, align 8
  %6 = getelementptr inbounds %struct.Result, ptr %0, i64 0, i32 3
  %7 = load i64, ptr %6, align 8
  %8 = shl nsw i64 %7, 1
  %9 = getelementptr inbounds i64, ptr %5, i64 %8
  %10 = getelementptr inbounds %struct.Result, ptr %0, i64 0, i32 4
  %11 = trunc i64 %7 to i32
  %12 = getelementptr inbounds %struct.Result, ptr %0, i64 0, i32 6
  %13 = load ptr, ptr %12, align 8
  %14 = getelementptr inbounds i64, ptr %5, i64 %7
  %15 = getelementptr inbounds i8, ptr %1, i64 8
  %16 = getelementptr inbounds i8, ptr %1, i64 16
  %17 = load <2 x i64>, ptr %10, align 8
  store ptr %9, ptr %1, align 8
  store ptr %0, ptr %15, align 8
  %18 = shufflevector <2 x i64> %17, <2 x i64> poison, <2 x i32> <i32 1, i32 0>
  store <2 x i64> %18, ptr %16, align 8
  %19 = getelementptr inbounds i8, ptr %1, i64 32
  store i32 0, ptr %19, align 8
  %20 = getelementptr inbounds i8, ptr %1, i64 36
  store i32 %11, ptr %20, align 4
  %21 = getelementptr inbounds i8, ptr %1, i64 40
  store ptr %13, ptr %21, align 8
  %22 = getelementptr inbounds i8, ptr %1, i64 48
  store ptr %5, ptr %22, align 8
  %23 = getelementptr inbounds i8, ptr %1, i64 56
  store ptr %14, ptr %23, align 8
  %24 = getelementptr inbounds i8, ptr %1, i64 64
  store ptr null, ptr %24, align 8
  %25 = getelementptr inbounds i8, ptr %1, i64 72
  store ptr null, ptr %25, align 8
  tail call void @Py_IncRef(ptr noundef %0) #4
  ret i32 0
}

; Function Attrs: nounwind
define internal void @result_free(ptr noundef %0) #0 {
  %2 = getelementptr inbounds %struct.Result, ptr %0, i64 0, i32 1
  %3 = load ptr, ptr %2, align 8
  %4 = getelementptr inbounds %struct.Result, ptr %0, i64 0, i32 2
  %5 = load ptr, ptr %4, align 8
  tail call void @PyMem_Free(ptr noundef %5) #4
  tail call void @PyObject_Free(ptr noundef %0) #4
  tail call void @Py_DecRef(ptr noundef %3) #4
  ret void
}

declare ptr @PyType_FromSpec(ptr noundef) local_unnamed_addr #2

declare ptr @PyModule_Create2(ptr noundef, i32 noundef) local_unnamed_addr #2

declare i64 @PyTuple_Size(ptr noundef) local_unnamed_addr #2

declare ptr @PyErr_Format(ptr noundef, ptr noundef, ...) local_unnamed_addr #2

declare ptr @PyTuple_GetItem(ptr noundef, i64 noundef) local_unnamed_addr #2

declare i32 @PyUnicode_CompareWithASCIIString(ptr noundef, ptr noundef) local_unnamed_addr #2

; Function Attrs: nounwind
define internal fastcc i32 @take_number(ptr nocapture noundef readonly %0, ptr nocapture noundef readonly %1, ptr noundef %2, ptr noundef %3) unnamed_addr #0 {
  %5 = alloca i64, align 8
  %6 = tail call i32 @PyObject_IsInstance(ptr noundef %2, ptr noundef nonnull @PyBool_Type) #4
  %7 = tail call i32 @PyObject_IsInstance(ptr noundef %2, ptr noundef nonnull @PyLong_Type) #4
  %8 = icmp ne i32 %7, 0
  %9 = icmp ne i32 %6, 0
  %10 = xor i1 %9, true
  %11 = select i1 %8, i1 %10, i1 false
  br i1 %11, label %12, label %15

12:                                               ; preds = %4
  %13 = getelementptr inbounds %struct.Array, ptr %1, i64 0, i32 3
  %14 = load i64, ptr %13, align 8
  br label %25

15:                                               ; preds = %4
  %16 = tail call i32 @PyObject_IsInstance(ptr noundef %2, ptr noundef nonnull @PyFloat_Type) #4
  %17 = icmp ne i32 %16, 0
  %18 = getelementptr inbounds %struct.Array, ptr %1, i64 0, i32 3
  %19 = load i64, ptr %18, align 8
  %20 = icmp eq i64 %19, 63
  %21 = select i1 %20, i1 %9, i1 false
  br i1 %21, label %22, label %25

22:                                               ; preds = %15
  %23 = icmp eq ptr %2, @_Py_TrueStruct
  %24 = zext i1 %23 to i8
  store i8 %24, ptr %3, align 1
  br label %134

25:                                               ; preds = %12, %15
  %26 = phi i64 [ %14, %12 ], [ %19, %15 ]
  %27 = phi ptr [ %13, %12 ], [ %18, %15 ]
  %28 = phi i1 [ true, %12 ], [ %17, %15 ]
  %29 = icmp eq i64 %26, 102
  %30 = select i1 %29, i1 %28, i1 false
  br i1 %30, label %31, label %46

31:                                               ; preds = %25
  %32 = getelementptr inbounds %struct.Array, ptr %1, i64 0, i32 4
  %33 = load i64, ptr %32, align 8
  %34 = icmp sgt i64 %33, 3
  br i1 %34, label %35, label %127

35:                                               ; preds = %31
  %36 = tail call double @PyFloat_AsDouble(ptr noundef %2) #4
  %37 = load i64, ptr %32, align 8
  %38 = icmp eq i64 %37, 4
  br i1 %38, label %39, label %41

39:                                               ; preds = %35
  %40 = fptrunc double %36 to float
  store float %40, ptr %3, align 4
  br label %42

41:                                               ; preds = %35
  store double %36, ptr %3, align 8
  br label %42

42:                                               ; preds = %41, %39
  %43 = tail call ptr @PyErr_Occurred() #4
  %44 = icmp eq ptr %43, null
  %45 = zext i1 %44 to i32
  br label %134

46:                                               ; preds = %25
  %47 = icmp eq i64 %26, 90
  br i1 %47, label %48, label %70

48:                                               ; preds = %46
  br i1 %28, label %54, label %49

49:                                               ; preds = %48
  %50 = tail call i32 @PyObject_IsInstance(ptr noundef %2, ptr noundef nonnull @PyComplex_Type) #4
  %51 = icmp eq i32 %50, 0
  br i1 %51, label %52, label %54

52:                                               ; preds = %49
  %53 = load i64, ptr %27, align 8
  br label %70

54:                                               ; preds = %49, %48
  %55 = tail call double @PyComplex_RealAsDouble(ptr noundef %2) #4
  %56 = tail call double @PyComplex_ImagAsDouble(ptr noundef %2) #4
  %57 = getelementptr inbounds %struct.Array, ptr %1, i64 0, i32 4
  %58 = load i64, ptr %57, align 8
  %59 = icmp eq i64 %58, 8
  br i1 %59, label %60, label %64

60:                                               ; preds = %54
  %61 = insertelement <2 x double> poison, double %55, i64 0
  %62 = insertelement <2 x double> %61, double %56, i64 1
  %63 = fptrunc <2 x double> %62 to <2 x float>
  store <2 x float> %63, ptr %3, align 4
  br label %66

64:                                               ; preds = %54
  store double %55, ptr %3, align 8
  %65 = getelementptr inbounds double, ptr %3, i64 1
  store double %56, ptr %65, align 8
  br label %66

66:                                               ; preds = %64, %60
  %67 = tail call ptr @PyErr_Occurred() #4
  %68 = icmp eq ptr %67, null
  %69 = zext i1 %68 to i32
  br label %134

70:                                               ; preds = %52, %46
  %71 = phi i64 [ %53, %52 ], [ %26, %46 ]
  %72 = icmp eq i64 %71, 105
  br i1 %72, label %76, label %73

73:                                               ; preds = %70
  %74 = icmp eq i64 %71, 117
  %75 = and i1 %11, %74
  br i1 %75, label %80, label %127

76:                                               ; preds = %70
  br i1 %11, label %77, label %127

77:                                               ; preds = %76
  %78 = getelementptr inbounds %struct.Array, ptr %1, i64 0, i32 4
  %79 = load i64, ptr %78, align 8
  call void @llvm.lifetime.start.p0(i64 8, ptr nonnull %5) #6
  br label %86

80:                                               ; preds = %73
  %81 = getelementptr inbounds %struct.Array, ptr %1, i64 0, i32 4
  %82 = load i64, ptr %81, align 8
  call void @llvm.lifetime.start.p0(i64 8, ptr nonnull %5) #6
  %83 = icmp eq i64 %82, 8
  br i1 %83, label %84, label %86

84:                                               ; preds = %80
  %85 = tail call i64 @PyLong_AsUnsignedLongLong(ptr noundef %2) #4
  br label %91

86:                                               ; preds = %77, %80
  %87 = phi i64 [ %79, %77 ], [ %82, %80 ]
  %88 = phi ptr [ %78, %77 ], [ %81, %80 ]
  %89 = shl nsw i64 %87, 3
  %90 = tail call i64 @PyLong_AsLongLong(ptr noundef %2) #4
  br label %91

91:                                               ; preds = %86, %84
  %92 = phi i64 [ %89, %86 ], [ 64, %84 ]
  %93 = phi i64 [ %87, %86 ], [ 8, %84 ]
  %94 = phi ptr [ %88, %86 ], [ %81, %84 ]
  %95 = phi i64 [ %90, %86 ], [ %85, %84 ]
  store i64 %95, ptr %5, align 8
  %96 = tail call ptr @PyErr_Occurred() #4
  %97 = icmp eq ptr %96, null
  br i1 %97, label %98, label %125

98:                                               ; preds = %91
  %99 = icmp slt i64 %93, 8
  br i1 %99, label %100, label %122

100:                                              ; preds = %98
  %101 = load i64, ptr %27, align 8
  %102 = icmp eq i64 %101, 117
  %103 = and i64 %92, 56
  %104 = shl nsw i64 -1, %103
  %105 = xor i64 %104, -1
  %106 = add nsw i64 %92, -1
  %107 = shl nuw i64 1, %106
  %108 = add nsw i64 %107, -1
  %109 = select i1 %102, i64 %105, i64 %108
  %110 = sub nsw i64 0, %107
  %111 = select i1 %102, i64 0, i64 %110
  %112 = icmp slt i64 %95, %111
  %113 = icmp sgt i64 %95, %109
  %114 = select i1 %112, i1 true, i1 %113
  br i1 %114, label %115, label %122

115:                                              ; preds = %100
  %116 = load ptr, ptr @PyExc_TypeError, align 8
  %117 = load ptr, ptr %0, align 8
  %118 = load ptr, ptr %1, align 8
  %119 = getelementptr inbounds %struct.Array, ptr %1, i64 0, i32 1
  %120 = load ptr, ptr %119, align 8
  %121 = tail call ptr (ptr, ptr, ...) @PyErr_Format(ptr noundef %116, ptr noundef nonnull @.str.10, ptr noundef %117, ptr noundef %118, ptr noundef nonnull @.str.8, ptr noundef %120) #4
  br label %125

122:                                              ; preds = %100, %98
  %123 = load i64, ptr %94, align 8
  %124 = call ptr @memcpy(ptr noundef %3, ptr noundef nonnull %5, i64 noundef %123) #4
  br label %125

125:                                              ; preds = %115, %122, %91
  %126 = phi i32 [ 0, %91 ], [ 0, %115 ], [ 1, %122 ]
  call void @llvm.lifetime.end.p0(i64 8, ptr nonnull %5) #6
  br label %134

127:                                              ; preds = %31, %76, %73
  %128 = load ptr, ptr @PyExc_TypeError, align 8
  %129 = load ptr, ptr %0, align 8
  %130 = load ptr, ptr %1, align 8
  %131 = getelementptr inbounds %struct.Array, ptr %1, i64 0, i32 1
  %132 = load ptr, ptr %131, align 8
  %133 = tail call ptr (ptr, ptr, ...) @PyErr_Format(ptr noundef %128, ptr noundef nonnull @.str.10, ptr noundef %129, ptr noundef %130, ptr noundef nonnull @.str.9, ptr noundef %132) #4
  br label %134

134:                                              ; preds = %127, %125, %66, %42, %22
  %135 = phi i32 [ 1, %22 ], [ %45, %42 ], [ %69, %66 ], [ %126, %125 ], [ 0, %127 ]
  ret i32 %135
}

declare i32 @PyObject_GetBuffer(ptr noundef, ptr noundef, i32 noundef) local_unnamed_addr #2

declare void @PyErr_Clear() local_unnamed_addr #2

declare i32 @PyObject_IsInstance(ptr noundef, ptr noundef) local_unnamed_addr #2

declare double @PyFloat_AsDouble(ptr noundef) local_unnamed_addr #2

declare ptr @PyErr_Occurred() local_unnamed_addr #2

declare double @PyComplex_RealAsDouble(ptr noundef) local_unnamed_addr #2

declare double @PyComplex_ImagAsDouble(ptr noundef) local_unnamed_addr #2

declare i64 @PyLong_AsUnsignedLongLong(ptr noundef) local_unnamed_addr #2

declare i64 @PyLong_AsLongLong(ptr noundef) local_unnamed_addr #2

declare ptr @memcpy(ptr noundef, ptr noundef, i64 noundef) local_unnamed_addr #2

; Function Attrs: mustprogress nocallback nofree nosync nounwind speculatable willreturn memory(none)
declare { i64, i1 } @llvm.smul.with.overflow.i64(i64, i64) #3

declare ptr @PyType_GenericAlloc(ptr noundef, i64 noundef) local_unnamed_addr #2

declare ptr @PyTuple_New(i64 noundef) local_unnamed_addr #2

declare ptr @PyMemoryView_FromObject(ptr noundef) local_unnamed_addr #2

declare void @Py_IncRef(ptr noundef) local_unnamed_addr #2

declare i32 @PyTuple_SetItem(ptr noundef, i64 noundef, ptr noundef) local_unnamed_addr #2

declare void @PyObject_Free(ptr noundef) local_unnamed_addr #2

attributes #0 = { nounwind "no-builtins" "no-trapping-math"="true" "stack-protector-buffer-size"="8" }
attributes #1 = { mustprogress nocallback nofree nosync nounwind willreturn memory(argmem: readwrite) }
attributes #2 = { "no-builtins" "no-trapping-math"="true" "stack-protector-buffer-size"="8" }
attributes #3 = { mustprogress nocallback nofree nosync nounwind speculatable willreturn memory(none) }
attributes #4 = { nobuiltin nounwind "no-builtins" }
attributes #5 = { nobuiltin "no-builtins" }
attributes #6 = { nounwind }

!llvm.module.flags = !{!0, !1}

!0 = !{i32 1, !"wchar_size", i32 4}
!1 = !{i32 8, !"PIC Level", i32 2}
!3 = distinct !{!3, !4}
!4 = !{!"llvm.loop.unroll.disable"}
!5 = distinct !{!5, !6, !7, !8}
!6 = !{!"llvm.loop.mustprogress"}
!7 = !{!"llvm.loop.isvectorized", i32 1}
!8 = !{!"llvm.loop.unroll.runtime.disable"}
!9 = distinct !{!9, !6}
!10 = distinct !{!10, !6, !8, !7}
!11 = distinct !{!11, !6}
!12 = distinct !{!12, !6}
!13 = distinct !{!13, !6}
!14 = distinct !{!14, !6}
!15 = distinct !{!15, !6}
!16 = distinct !{!16, !6}
!17 = distinct !{!17, !6}
!18 = distinct !{!18, !6}
!19 = distinct !{!19, !6}
!20 = distinct !{!20, !6}
!21 = distinct !{!21, !6}
!22 = distinct !{!22, !6}
!23 = distinct !{!23, !6}
!24 = distinct !{!24, !6}
!25 = distinct !{!25, !6}
!26 = distinct !{!26, !6}
