; Entries and shapes functions for test_call.py, by the ABI of runtime/native.h.
%Runtime = type { ptr, i64, i64 }
; out = x + y over extents[0] items of float
define i64 @add(ptr %buffers, ptr %extents, ptr %arena, ptr %runtime) {
entry:
  %n = load i64, ptr %extents
  %x = load ptr, ptr %buffers
  %yp = getelementptr ptr, ptr %buffers, i64 1
  %y = load ptr, ptr %yp
  %op = getelementptr ptr, ptr %buffers, i64 2
  %o = load ptr, ptr %op
  %some = icmp sgt i64 %n, 0
  br i1 %some, label %loop, label %out
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %px = getelementptr float, ptr %x, i64 %i
  %py = getelementptr float, ptr %y, i64 %i
  %po = getelementptr float, ptr %o, i64 %i
  %vx = load float, ptr %px
  %vy = load float, ptr %py
  %v = fadd float %vx, %vy
  store float %v, ptr %po
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %n
  br i1 %more, label %loop, label %out
out:
  ret i64 0
}
; out[i, j] = x[i, j] with strides; extents: n, m, stride, stride
define i64 @copy(ptr %buffers, ptr %extents, ptr %arena, ptr %runtime) {
entry:
  %x = load ptr, ptr %buffers
  %op = getelementptr ptr, ptr %buffers, i64 1
  %o = load ptr, ptr %op
  %n = load i64, ptr %extents
  %mp = getelementptr i64, ptr %extents, i64 1
  %m = load i64, ptr %mp
  %sp = getelementptr i64, ptr %extents, i64 2
  %s = load i64, ptr %sp
  %tp = getelementptr i64, ptr %extents, i64 3
  %t = load i64, ptr %tp
  %all = mul i64 %n, %m
  %some = icmp sgt i64 %all, 0
  br i1 %some, label %loop, label %out
loop:
  %k = phi i64 [ 0, %entry ], [ %next, %loop ]
  %i = sdiv i64 %k, %m
  %j = srem i64 %k, %m
  %a = mul i64 %i, %s
  %b = mul i64 %j, %t
  %c = add i64 %a, %b
  %px = getelementptr float, ptr %x, i64 %c
  %po = getelementptr float, ptr %o, i64 %k
  %v = load float, ptr %px
  store float %v, ptr %po
  %next = add i64 %k, 1
  %more = icmp slt i64 %next, %all
  br i1 %more, label %loop, label %out
out:
  ret i64 0
}
; out[0..4] = float, int, bool, real, imag as doubles
define i64 @scalars(ptr %buffers, ptr %extents, ptr %arena, ptr %runtime) {
  %op = getelementptr ptr, ptr %buffers, i64 4
  %o = load ptr, ptr %op
  %p0 = load ptr, ptr %buffers
  %v0 = load double, ptr %p0
  store double %v0, ptr %o
  %b1 = getelementptr ptr, ptr %buffers, i64 1
  %p1 = load ptr, ptr %b1
  %i1 = load i64, ptr %p1
  %v1 = sitofp i64 %i1 to double
  %o1 = getelementptr double, ptr %o, i64 1
  store double %v1, ptr %o1
  %b2 = getelementptr ptr, ptr %buffers, i64 2
  %p2 = load ptr, ptr %b2
  %i2 = load i8, ptr %p2
  %v2 = uitofp i8 %i2 to double
  %o2 = getelementptr double, ptr %o, i64 2
  store double %v2, ptr %o2
  %b3 = getelementptr ptr, ptr %buffers, i64 3
  %p3 = load ptr, ptr %b3
  %v3 = load double, ptr %p3
  %o3 = getelementptr double, ptr %o, i64 3
  store double %v3, ptr %o3
  %q3 = getelementptr double, ptr %p3, i64 1
  %v4 = load double, ptr %q3
  %o4 = getelementptr double, ptr %o, i64 4
  store double %v4, ptr %o4
  ret i64 0
}
; x[0] += 1, an input that was donated
define i64 @bump(ptr %buffers, ptr %extents, ptr %arena, ptr %runtime) {
  %op = getelementptr ptr, ptr %buffers, i64 1
  %o = load ptr, ptr %op
  %v = load float, ptr %o
  %w = fadd float %v, 1.0
  store float %w, ptr %o
  ret i64 0
}
define i64 @fails(ptr %buffers, ptr %extents, ptr %arena, ptr %runtime) { ret i64 7 }
define i64 @nothing(ptr %buffers, ptr %extents, ptr %arena, ptr %runtime) { ret i64 0 }
; out dims: n * m and m; arena: 8 n bytes; n must be even
define i64 @shapes(ptr %extents, ptr %dims) {
  %n = load i64, ptr %extents
  %mp = getelementptr i64, ptr %extents, i64 1
  %m = load i64, ptr %mp
  %nm = mul i64 %n, %m
  store i64 %nm, ptr %dims
  %d1 = getelementptr i64, ptr %dims, i64 1
  store i64 %m, ptr %d1
  %odd = and i64 %n, 1
  %bad = icmp ne i64 %odd, 0
  %bytes = mul i64 %n, 8
  %r = select i1 %bad, i64 -1, i64 %bytes
  ret i64 %r
}
; writes the arena through, out = [its address, its last word, workers]
define i64 @arena(ptr %buffers, ptr %extents, ptr %arena, ptr %runtime) {
entry:
  %n = load i64, ptr %extents
  %op = getelementptr ptr, ptr %buffers, i64 1
  %o = load ptr, ptr %op
  %a = ptrtoint ptr %arena to i64
  store i64 %a, ptr %o
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %p = getelementptr i64, ptr %arena, i64 %i
  store i64 %i, ptr %p
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %n
  br i1 %more, label %loop, label %out
out:
  %o1 = getelementptr i64, ptr %o, i64 1
  store i64 %i, ptr %o1
  %wp = getelementptr %Runtime, ptr %runtime, i64 0, i32 1
  %w = load i64, ptr %wp
  %o2 = getelementptr i64, ptr %o, i64 2
  store i64 %w, ptr %o2
  ret i64 0
}
