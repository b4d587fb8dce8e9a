; Made from threads.c by make_native.py; do not edit.
; Triple and data layout are set when it is compiled.

%struct.GcConfig = type { i64, i64, i64, i64, ptr, ptr, ptr, ptr, ptr, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64 }
%struct.anon = type { i32, [60 x i8], i32, i32, i32, [52 x i8] }
%struct.Mailbox = type { i32, i32, i32, ptr, ptr, i64, i64, i64, [8 x i8] }

@gc_config = hidden local_unnamed_addr global %struct.GcConfig { i64 0, i64 0, i64 50000, i64 0, ptr null, ptr null, ptr null, ptr null, ptr null, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0 }, align 8
@gc_workers = hidden local_unnamed_addr global i32 0, align 4
@pool = internal global %struct.anon zeroinitializer, align 64
@mailbox = internal global [1024 x %struct.Mailbox] zeroinitializer, align 64
@alive = internal global ptr null, align 8
@alive_plain = internal global i32 0, align 4
@gc_futex_number = external local_unnamed_addr constant i64, align 8
@owner = internal unnamed_addr global i32 0, align 4

; Function Attrs: nounwind
define hidden void @gc_parallel_for(ptr noundef %0, ptr noundef %1, i64 noundef %2, i64 noundef %3, i64 noundef %4) local_unnamed_addr #0 {
  %6 = alloca [2 x i64], align 16
  %7 = alloca [16 x i64], align 16
  %8 = alloca [16 x i64], align 16
  %9 = alloca i64, align 8
  %10 = load atomic i32, ptr @gc_workers acquire, align 4
  %11 = sext i32 %10 to i64
  %12 = icmp sgt i64 %3, 1
  br i1 %12, label %13, label %15

13:                                               ; preds = %5
  %14 = sdiv i64 %2, %3
  br label %15

15:                                               ; preds = %5, %13
  %16 = phi i64 [ %14, %13 ], [ %2, %5 ]
  %17 = icmp slt i64 %2, 1
  br i1 %17, label %156, label %18

18:                                               ; preds = %15
  %19 = tail call i64 @llvm.smin.i64(i64 %11, i64 %4)
  %20 = tail call i64 @llvm.smin.i64(i64 %19, i64 %16)
  %21 = icmp slt i64 %20, 2
  br i1 %21, label %25, label %22

22:                                               ; preds = %18
  %23 = atomicrmw xchg ptr @pool, i32 1 acquire, align 4
  %24 = icmp eq i32 %23, 0
  br i1 %24, label %26, label %25

25:                                               ; preds = %22, %18
  tail call void %0(ptr noundef %1, i64 noundef 0, i64 noundef %2, i64 noundef 0) #8
  br label %156

26:                                               ; preds = %22
  %27 = load i32, ptr getelementptr inbounds (%struct.anon, ptr @pool, i64 0, i32 4), align 8
  %28 = add nsw i32 %27, 1
  %29 = sext i32 %28 to i64
  %30 = icmp sgt i64 %20, %29
  br i1 %30, label %31, label %60, !prof !3

31:                                               ; preds = %26
  call void @llvm.lifetime.start.p0(i64 128, ptr nonnull %7) #9
  call void @llvm.lifetime.start.p0(i64 128, ptr nonnull %8) #9
  %32 = call ptr @memset(ptr noundef nonnull %7, i32 noundef 255, i64 noundef 128) #8
  %33 = call i32 @pthread_sigmask(i32 noundef 2, ptr noundef nonnull %7, ptr noundef nonnull %8) #8
  %34 = load i32, ptr getelementptr inbounds (%struct.anon, ptr @pool, i64 0, i32 4), align 8
  %35 = add nsw i32 %34, 1
  %36 = sext i32 %35 to i64
  %37 = icmp sgt i64 %20, %36
  br i1 %37, label %38, label %54

38:                                               ; preds = %31, %46
  %39 = phi i64 [ %52, %46 ], [ %36, %31 ]
  call void @llvm.lifetime.start.p0(i64 8, ptr nonnull %9) #9
  %40 = getelementptr inbounds [1024 x %struct.Mailbox], ptr @mailbox, i64 0, i64 %39
  %41 = getelementptr inbounds [1024 x %struct.Mailbox], ptr @mailbox, i64 0, i64 %39, i32 2
  store i32 0, ptr %41, align 8
  store <2 x i32> zeroinitializer, ptr %40, align 64
  %42 = inttoptr i64 %39 to ptr
  %43 = call i32 @pthread_create(ptr noundef nonnull %9, ptr noundef null, ptr noundef nonnull @worker_main, ptr noundef %42) #8
  %44 = icmp eq i32 %43, 0
  br i1 %44, label %46, label %45

45:                                               ; preds = %38
  call void @llvm.lifetime.end.p0(i64 8, ptr nonnull %9) #9
  br label %54

46:                                               ; preds = %38
  %47 = load i64, ptr %9, align 8
  %48 = call i32 @pthread_detach(i64 noundef %47) #8
  %49 = load i32, ptr getelementptr inbounds (%struct.anon, ptr @pool, i64 0, i32 4), align 8
  %50 = add nsw i32 %49, 1
  store i32 %50, ptr getelementptr inbounds (%struct.anon, ptr @pool, i64 0, i32 4), align 8
  call void @llvm.lifetime.end.p0(i64 8, ptr nonnull %9) #9
  %51 = add nsw i32 %49, 2
  %52 = sext i32 %51 to i64
  %53 = icmp sgt i64 %20, %52
  br i1 %53, label %38, label %54

54:                                               ; preds = %46, %45, %31
  %55 = call i32 @pthread_sigmask(i32 noundef 2, ptr noundef nonnull %8, ptr noundef null) #8
  %56 = load i32, ptr getelementptr inbounds (%struct.anon, ptr @pool, i64 0, i32 4), align 8
  %57 = add nsw i32 %56, 1
  %58 = sext i32 %57 to i64
  %59 = call i64 @llvm.smin.i64(i64 %58, i64 %20)
  call void @llvm.lifetime.end.p0(i64 128, ptr nonnull %8) #9
  call void @llvm.lifetime.end.p0(i64 128, ptr nonnull %7) #9
  br label %60

60:                                               ; preds = %26, %54
  %61 = phi i64 [ %59, %54 ], [ %20, %26 ]
  %62 = sdiv i64 %2, %61
  %63 = srem i64 %2, %61
  %64 = icmp sgt i64 %63, 0
  %65 = zext i1 %64 to i64
  %66 = add nsw i64 %62, %65
  %67 = trunc i64 %61 to i32
  %68 = add i32 %67, -1
  store atomic i32 %68, ptr getelementptr inbounds (%struct.anon, ptr @pool, i64 0, i32 2) release, align 64
  %69 = icmp sgt i64 %61, 1
  br i1 %69, label %139, label %75

70:                                               ; preds = %139
  br i1 %69, label %71, label %75

71:                                               ; preds = %70
  %72 = add nsw i64 %61, -2
  %73 = call i64 @llvm.umin.i64(i64 %72, i64 7)
  %74 = add nuw nsw i64 %73, 1
  br label %76

75:                                               ; preds = %60, %70
  call void %0(ptr noundef %1, i64 noundef 0, i64 noundef %66, i64 noundef 0) #8
  br label %89

76:                                               ; preds = %71, %85
  %77 = phi i64 [ %86, %85 ], [ 1, %71 ]
  %78 = getelementptr inbounds [1024 x %struct.Mailbox], ptr @mailbox, i64 0, i64 %77, i32 1
  %79 = load atomic i32, ptr %78 seq_cst, align 4
  %80 = icmp eq i32 %79, 0
  br i1 %80, label %85, label %81

81:                                               ; preds = %76
  %82 = getelementptr inbounds [1024 x %struct.Mailbox], ptr @mailbox, i64 0, i64 %77
  %83 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 1), align 8
  %84 = call i64 (i64, ...) @syscall(i64 noundef %83, ptr noundef nonnull %82, i64 noundef 129, i64 noundef 1, ptr noundef null, ptr noundef null, i64 noundef 0) #8
  br label %85

85:                                               ; preds = %81, %76
  %86 = add nuw nsw i64 %77, 1
  %87 = icmp eq i64 %77, %74
  br i1 %87, label %88, label %76, !llvm.loop !4

88:                                               ; preds = %85
  call void %0(ptr noundef %1, i64 noundef 0, i64 noundef %66, i64 noundef 0) #8
  br label %94

89:                                               ; preds = %113, %75
  %90 = load atomic i32, ptr getelementptr inbounds (%struct.anon, ptr @pool, i64 0, i32 2) seq_cst, align 64
  %91 = icmp eq i32 %90, 0
  br i1 %91, label %138, label %92

92:                                               ; preds = %89
  %93 = getelementptr inbounds [2 x i64], ptr %6, i64 0, i64 1
  br label %115

94:                                               ; preds = %88, %113
  %95 = phi i64 [ %96, %113 ], [ %61, %88 ]
  %96 = add nsw i64 %95, -1
  %97 = getelementptr inbounds [1024 x %struct.Mailbox], ptr @mailbox, i64 0, i64 %96
  %98 = load i32, ptr %97, align 64
  %99 = add i32 %98, -1
  %100 = getelementptr inbounds [1024 x %struct.Mailbox], ptr @mailbox, i64 0, i64 %96, i32 2
  %101 = cmpxchg ptr %100, i32 %99, i32 %98 acq_rel monotonic, align 4
  %102 = extractvalue { i32, i1 } %101, 1
  br i1 %102, label %103, label %113

103:                                              ; preds = %94
  %104 = getelementptr inbounds [1024 x %struct.Mailbox], ptr @mailbox, i64 0, i64 %96, i32 3
  %105 = load ptr, ptr %104, align 16
  %106 = getelementptr inbounds [1024 x %struct.Mailbox], ptr @mailbox, i64 0, i64 %96, i32 4
  %107 = load ptr, ptr %106, align 8
  %108 = getelementptr inbounds [1024 x %struct.Mailbox], ptr @mailbox, i64 0, i64 %96, i32 5
  %109 = load i64, ptr %108, align 32
  %110 = getelementptr inbounds [1024 x %struct.Mailbox], ptr @mailbox, i64 0, i64 %96, i32 6
  %111 = load i64, ptr %110, align 8
  call void %105(ptr noundef %107, i64 noundef %109, i64 noundef %111, i64 noundef %96) #8
  %112 = atomicrmw sub ptr getelementptr inbounds (%struct.anon, ptr @pool, i64 0, i32 2), i32 1 seq_cst, align 4
  br label %113

113:                                              ; preds = %103, %94
  %114 = icmp ugt i64 %95, 2
  br i1 %114, label %94, label %89, !llvm.loop !6

115:                                              ; preds = %135, %92
  %116 = phi i64 [ 0, %92 ], [ %125, %135 ]
  call void @llvm.lifetime.start.p0(i64 16, ptr nonnull %6) #9
  %117 = call i32 @clock_gettime(i32 noundef 1, ptr noundef nonnull %6) #8
  %118 = load i64, ptr %6, align 16
  %119 = mul nsw i64 %118, 1000000000
  %120 = load i64, ptr %93, align 8
  %121 = add nsw i64 %119, %120
  call void @llvm.lifetime.end.p0(i64 16, ptr nonnull %6) #9
  %122 = icmp eq i64 %116, 0
  %123 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 2), align 8
  %124 = add nsw i64 %123, %121
  %125 = select i1 %122, i64 %124, i64 %116
  %126 = icmp slt i64 %121, %125
  br i1 %126, label %135, label %127, !llvm.loop !7

127:                                              ; preds = %115
  store atomic i32 1, ptr getelementptr inbounds (%struct.anon, ptr @pool, i64 0, i32 3) seq_cst, align 4
  %128 = load atomic i32, ptr getelementptr inbounds (%struct.anon, ptr @pool, i64 0, i32 2) seq_cst, align 64
  %129 = icmp eq i32 %128, 0
  br i1 %129, label %134, label %130

130:                                              ; preds = %127
  %131 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 1), align 8
  %132 = zext i32 %128 to i64
  %133 = call i64 (i64, ...) @syscall(i64 noundef %131, ptr noundef nonnull getelementptr inbounds (%struct.anon, ptr @pool, i64 0, i32 2), i64 noundef 128, i64 noundef %132, ptr noundef null, ptr noundef null, i64 noundef 0) #8
  br label %134

134:                                              ; preds = %130, %127
  store atomic i32 0, ptr getelementptr inbounds (%struct.anon, ptr @pool, i64 0, i32 3) seq_cst, align 4
  br label %135

135:                                              ; preds = %134, %115
  %136 = load atomic i32, ptr getelementptr inbounds (%struct.anon, ptr @pool, i64 0, i32 2) seq_cst, align 64
  %137 = icmp eq i32 %136, 0
  br i1 %137, label %138, label %115

138:                                              ; preds = %135, %89
  store atomic i32 0, ptr @pool release, align 64
  br label %156

139:                                              ; preds = %60, %139
  %140 = phi i64 [ %146, %139 ], [ %66, %60 ]
  %141 = phi i64 [ %154, %139 ], [ 1, %60 ]
  %142 = getelementptr inbounds [1024 x %struct.Mailbox], ptr @mailbox, i64 0, i64 %141
  %143 = add nsw i64 %140, %62
  %144 = icmp slt i64 %141, %63
  %145 = zext i1 %144 to i64
  %146 = add nsw i64 %143, %145
  %147 = getelementptr inbounds [1024 x %struct.Mailbox], ptr @mailbox, i64 0, i64 %141, i32 3
  store ptr %0, ptr %147, align 16
  %148 = getelementptr inbounds [1024 x %struct.Mailbox], ptr @mailbox, i64 0, i64 %141, i32 4
  store ptr %1, ptr %148, align 8
  %149 = getelementptr inbounds [1024 x %struct.Mailbox], ptr @mailbox, i64 0, i64 %141, i32 5
  store i64 %140, ptr %149, align 32
  %150 = getelementptr inbounds [1024 x %struct.Mailbox], ptr @mailbox, i64 0, i64 %141, i32 6
  store i64 %146, ptr %150, align 8
  %151 = getelementptr inbounds [1024 x %struct.Mailbox], ptr @mailbox, i64 0, i64 %141, i32 7
  store i64 %61, ptr %151, align 16
  %152 = load i32, ptr %142, align 64
  %153 = add i32 %152, 1
  store atomic i32 %153, ptr %142 seq_cst, align 64
  %154 = add nuw nsw i64 %141, 1
  %155 = icmp eq i64 %154, %61
  br i1 %155, label %70, label %139, !llvm.loop !8

156:                                              ; preds = %15, %138, %25
  ret void
}

; Function Attrs: mustprogress nocallback nofree nosync nounwind willreturn memory(argmem: readwrite)
declare void @llvm.lifetime.start.p0(i64 immarg, ptr nocapture) #1

; Function Attrs: mustprogress nocallback nofree nosync nounwind willreturn memory(argmem: readwrite)
declare void @llvm.lifetime.end.p0(i64 immarg, ptr nocapture) #1

; Function Attrs: mustprogress nofree nounwind willreturn memory(readwrite, argmem: none, inaccessiblemem: none)
define hidden i64 @gc_set_threads(i64 noundef %0) local_unnamed_addr #2 {
  %2 = tail call i64 @llvm.smin.i64(i64 %0, i64 1024)
  %3 = tail call i64 @llvm.smax.i64(i64 %2, i64 1)
  %4 = trunc i64 %3 to i32
  store atomic i32 %4, ptr @gc_workers release, align 4
  ret i64 %3
}

; Function Attrs: nounwind
define hidden i64 @gc_library_threads() local_unnamed_addr #0 {
  %1 = alloca [128 x i64], align 16
  %2 = load atomic i32, ptr @gc_workers acquire, align 4
  %3 = icmp sgt i32 %2, 0
  br i1 %3, label %4, label %6, !prof !9

4:                                                ; preds = %0
  %5 = zext i32 %2 to i64
  br label %32

6:                                                ; preds = %0
  call void @llvm.lifetime.start.p0(i64 1024, ptr nonnull %1) #9
  %7 = call ptr @memset(ptr noundef nonnull %1, i32 noundef 0, i64 noundef 1024) #8
  %8 = call i32 @sched_getaffinity(i32 noundef 0, i64 noundef 1024, ptr noundef nonnull %1) #8
  %9 = icmp eq i32 %8, 0
  br i1 %9, label %10, label %27

10:                                               ; preds = %6, %10
  %11 = phi i64 [ %22, %10 ], [ 0, %6 ]
  %12 = phi <2 x i64> [ %20, %10 ], [ zeroinitializer, %6 ]
  %13 = phi <2 x i64> [ %21, %10 ], [ zeroinitializer, %6 ]
  %14 = getelementptr inbounds [128 x i64], ptr %1, i64 0, i64 %11
  %15 = load <2 x i64>, ptr %14, align 16
  %16 = getelementptr inbounds i64, ptr %14, i64 2
  %17 = load <2 x i64>, ptr %16, align 16
  %18 = call <2 x i64> @llvm.ctpop.v2i64(<2 x i64> %15)
  %19 = call <2 x i64> @llvm.ctpop.v2i64(<2 x i64> %17)
  %20 = add <2 x i64> %18, %12
  %21 = add <2 x i64> %19, %13
  %22 = add nuw i64 %11, 4
  %23 = icmp eq i64 %22, 128
  br i1 %23, label %24, label %10, !llvm.loop !10

24:                                               ; preds = %10
  %25 = add <2 x i64> %21, %20
  %26 = call i64 @llvm.vector.reduce.add.v2i64(<2 x i64> %25)
  br label %27

27:                                               ; preds = %24, %6
  %28 = phi i64 [ 0, %6 ], [ %26, %24 ]
  %29 = call i64 @llvm.smax.i64(i64 %28, i64 1)
  %30 = call i64 @llvm.smin.i64(i64 %29, i64 1024)
  %31 = trunc i64 %30 to i32
  store atomic i32 %31, ptr @gc_workers release, align 4
  call void @llvm.lifetime.end.p0(i64 1024, ptr nonnull %1) #9
  br label %32

32:                                               ; preds = %27, %4
  %33 = phi i64 [ %5, %4 ], [ %30, %27 ]
  ret i64 %33
}

declare ptr @memset(ptr noundef, i32 noundef, i64 noundef) local_unnamed_addr #3

declare i32 @sched_getaffinity(i32 noundef, i64 noundef, ptr noundef) local_unnamed_addr #3

; Function Attrs: nounwind
define hidden void @gc_library_for(ptr noundef %0, ptr noundef %1, i64 noundef %2, i64 noundef %3, i64 noundef %4) local_unnamed_addr #0 {
  %6 = load atomic i64, ptr @alive acquire, align 8
  %7 = inttoptr i64 %6 to ptr
  %8 = icmp eq i64 %6, 0
  %9 = icmp eq ptr %7, @alive_plain
  %10 = or i1 %8, %9
  br i1 %10, label %14, label %11, !prof !13

11:                                               ; preds = %5
  %12 = load atomic i32, ptr %7 acquire, align 4
  %13 = icmp eq i32 %12, 2
  br i1 %13, label %15, label %14, !prof !9

14:                                               ; preds = %5, %11
  tail call fastcc void @first_or_forked(ptr noundef %7) #10
  br label %15

15:                                               ; preds = %14, %11
  %16 = load i64, ptr @gc_futex_number, align 8
  store i64 %16, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 1), align 8
  tail call void @gc_parallel_for(ptr noundef %0, ptr noundef %1, i64 noundef %2, i64 noundef %3, i64 noundef %4) #10
  ret void
}

; Function Attrs: noinline nounwind
define internal fastcc void @first_or_forked(ptr noundef %0) unnamed_addr #4 {
  %2 = icmp eq ptr %0, null
  br i1 %2, label %3, label %24

3:                                                ; preds = %1
  %4 = tail call ptr @mmap(ptr noundef null, i64 noundef 4096, i32 noundef 3, i32 noundef 34, i32 noundef -1, i64 noundef 0) #8
  %5 = icmp eq ptr %4, inttoptr (i64 -1 to ptr)
  br i1 %5, label %11, label %6

6:                                                ; preds = %3
  %7 = tail call i32 @madvise(ptr noundef %4, i64 noundef 4096, i32 noundef 18) #8
  %8 = icmp eq i32 %7, 0
  br i1 %8, label %16, label %9

9:                                                ; preds = %6
  %10 = tail call i32 @munmap(ptr noundef %4, i64 noundef 4096) #8
  br label %11

11:                                               ; preds = %9, %3
  %12 = cmpxchg ptr @alive, i64 0, i64 ptrtoint (ptr @alive_plain to i64) acq_rel acquire, align 8
  %13 = extractvalue { i64, i1 } %12, 1
  %14 = extractvalue { i64, i1 } %12, 0
  %15 = inttoptr i64 %14 to ptr
  br i1 %13, label %27, label %24

16:                                               ; preds = %6
  %17 = ptrtoint ptr %4 to i64
  %18 = cmpxchg ptr @alive, i64 0, i64 %17 acq_rel acquire, align 8
  %19 = extractvalue { i64, i1 } %18, 1
  br i1 %19, label %24, label %20

20:                                               ; preds = %16
  %21 = extractvalue { i64, i1 } %18, 0
  %22 = inttoptr i64 %21 to ptr
  %23 = tail call i32 @munmap(ptr noundef %4, i64 noundef 4096) #8
  br label %24

24:                                               ; preds = %11, %16, %20, %1
  %25 = phi ptr [ %0, %1 ], [ %4, %16 ], [ %22, %20 ], [ %15, %11 ]
  %26 = icmp eq ptr %25, @alive_plain
  br i1 %26, label %27, label %36

27:                                               ; preds = %11, %24
  %28 = load atomic i32, ptr @alive_plain acquire, align 4
  %29 = icmp eq i32 %28, 2
  br i1 %29, label %30, label %36

30:                                               ; preds = %27
  %31 = load atomic i32, ptr @owner acquire, align 4
  %32 = tail call i32 @getpid() #8
  %33 = icmp eq i32 %31, %32
  br i1 %33, label %36, label %34

34:                                               ; preds = %30
  %35 = cmpxchg ptr @alive_plain, i32 2, i32 0 acq_rel acquire, align 4
  br label %36

36:                                               ; preds = %34, %30, %27, %24
  %37 = phi ptr [ @alive_plain, %34 ], [ @alive_plain, %30 ], [ @alive_plain, %27 ], [ %25, %24 ]
  %38 = cmpxchg ptr %37, i32 0, i32 1 acq_rel acquire, align 4
  %39 = extractvalue { i32, i1 } %38, 1
  br i1 %39, label %43, label %40

40:                                               ; preds = %36
  %41 = load atomic i32, ptr %37 acquire, align 4
  %42 = icmp eq i32 %41, 1
  br i1 %42, label %46, label %50

43:                                               ; preds = %36
  %44 = tail call ptr @memset(ptr noundef nonnull @pool, i32 noundef 0, i64 noundef 128) #8
  %45 = tail call i32 @getpid() #8
  store atomic i32 %45, ptr @owner release, align 4
  store atomic i32 2, ptr %37 release, align 4
  br label %50

46:                                               ; preds = %40, %46
  %47 = tail call i32 @sched_yield() #8
  %48 = load atomic i32, ptr %37 acquire, align 4
  %49 = icmp eq i32 %48, 1
  br i1 %49, label %46, label %50, !llvm.loop !14

50:                                               ; preds = %46, %40, %43
  ret void
}

; Function Attrs: mustprogress nofree nounwind willreturn memory(readwrite, argmem: none, inaccessiblemem: none)
define hidden i64 @gc_library_set_threads(i64 noundef %0) local_unnamed_addr #2 {
  %2 = tail call i64 @llvm.smin.i64(i64 %0, i64 1024)
  %3 = tail call i64 @llvm.smax.i64(i64 %2, i64 1)
  %4 = trunc i64 %3 to i32
  store atomic i32 %4, ptr @gc_workers release, align 4
  ret i64 %3
}

declare i32 @pthread_sigmask(i32 noundef, ptr noundef, ptr noundef) local_unnamed_addr #3

declare i32 @pthread_create(ptr noundef, ptr noundef, ptr noundef, ptr noundef) local_unnamed_addr #3

; Function Attrs: noreturn nounwind
define internal ptr @worker_main(ptr noundef %0) #5 {
  %2 = alloca [2 x i64], align 16
  %3 = ptrtoint ptr %0 to i64
  %4 = getelementptr inbounds [1024 x %struct.Mailbox], ptr @mailbox, i64 0, i64 %3
  %5 = getelementptr inbounds [2 x i64], ptr %2, i64 0, i64 1
  %6 = getelementptr inbounds [1024 x %struct.Mailbox], ptr @mailbox, i64 0, i64 %3, i32 1
  %7 = getelementptr inbounds [1024 x %struct.Mailbox], ptr @mailbox, i64 0, i64 %3, i32 2
  %8 = getelementptr inbounds [1024 x %struct.Mailbox], ptr @mailbox, i64 0, i64 %3, i32 7
  %9 = shl nsw i64 %3, 3
  %10 = or i64 %9, 1
  %11 = add i64 %9, 9
  %12 = icmp slt i64 %10, %11
  %13 = getelementptr inbounds [1024 x %struct.Mailbox], ptr @mailbox, i64 0, i64 %3, i32 3
  %14 = getelementptr inbounds [1024 x %struct.Mailbox], ptr @mailbox, i64 0, i64 %3, i32 4
  %15 = getelementptr inbounds [1024 x %struct.Mailbox], ptr @mailbox, i64 0, i64 %3, i32 5
  %16 = getelementptr inbounds [1024 x %struct.Mailbox], ptr @mailbox, i64 0, i64 %3, i32 6
  br label %17

17:                                               ; preds = %82, %1
  %18 = phi i64 [ 1, %1 ], [ %56, %82 ]
  %19 = phi i32 [ 0, %1 ], [ %52, %82 ]
  %20 = load atomic i32, ptr %4 acquire, align 64
  %21 = icmp eq i32 %20, %19
  br i1 %21, label %22, label %51

22:                                               ; preds = %17
  %23 = zext i32 %19 to i64
  br label %24

24:                                               ; preds = %22, %47
  %25 = phi i64 [ 0, %22 ], [ %48, %47 ]
  call void @llvm.lifetime.start.p0(i64 16, ptr nonnull %2) #9
  %26 = call i32 @clock_gettime(i32 noundef 1, ptr noundef nonnull %2) #8
  %27 = load i64, ptr %2, align 16
  %28 = mul nsw i64 %27, 1000000000
  %29 = load i64, ptr %5, align 8
  %30 = add nsw i64 %28, %29
  call void @llvm.lifetime.end.p0(i64 16, ptr nonnull %2) #9
  %31 = icmp eq i64 %25, 0
  %32 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 2), align 8
  %33 = mul nsw i64 %32, %18
  %34 = add nsw i64 %33, %30
  %35 = select i1 %31, i64 %34, i64 %25
  %36 = icmp slt i64 %30, %35
  br i1 %36, label %47, label %37, !llvm.loop !15

37:                                               ; preds = %24
  store atomic i32 1, ptr %6 seq_cst, align 4
  %38 = load atomic i32, ptr %4 seq_cst, align 64
  %39 = icmp eq i32 %38, %19
  br i1 %39, label %40, label %43

40:                                               ; preds = %37
  %41 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 1), align 8
  %42 = call i64 (i64, ...) @syscall(i64 noundef %41, ptr noundef nonnull %4, i64 noundef 128, i64 noundef %23, ptr noundef null, ptr noundef null, i64 noundef 0) #8
  br label %43

43:                                               ; preds = %40, %37
  store atomic i32 0, ptr %6 seq_cst, align 4
  %44 = load atomic i32, ptr %4 acquire, align 64
  %45 = icmp eq i32 %44, %19
  %46 = select i1 %45, i64 1, i64 %35
  br label %47

47:                                               ; preds = %24, %43
  %48 = phi i64 [ %46, %43 ], [ %35, %24 ]
  %49 = load atomic i32, ptr %4 acquire, align 64
  %50 = icmp eq i32 %49, %19
  br i1 %50, label %24, label %51

51:                                               ; preds = %47, %17
  %52 = load atomic i32, ptr %4 acquire, align 64
  %53 = add i32 %52, -1
  %54 = cmpxchg ptr %7, i32 %53, i32 %52 acq_rel monotonic, align 4
  %55 = extractvalue { i32, i1 } %54, 1
  %56 = select i1 %55, i64 1, i64 6
  br i1 %55, label %57, label %82

57:                                               ; preds = %51
  %58 = load i64, ptr %8, align 16
  %59 = icmp slt i64 %10, %58
  %60 = and i1 %12, %59
  br i1 %60, label %61, label %75

61:                                               ; preds = %57, %70
  %62 = phi i64 [ %71, %70 ], [ %10, %57 ]
  %63 = getelementptr inbounds [1024 x %struct.Mailbox], ptr @mailbox, i64 0, i64 %62, i32 1
  %64 = load atomic i32, ptr %63 seq_cst, align 4
  %65 = icmp eq i32 %64, 0
  br i1 %65, label %70, label %66

66:                                               ; preds = %61
  %67 = getelementptr inbounds [1024 x %struct.Mailbox], ptr @mailbox, i64 0, i64 %62
  %68 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 1), align 8
  %69 = call i64 (i64, ...) @syscall(i64 noundef %68, ptr noundef nonnull %67, i64 noundef 129, i64 noundef 1, ptr noundef null, ptr noundef null, i64 noundef 0) #8
  br label %70

70:                                               ; preds = %66, %61
  %71 = add nsw i64 %62, 1
  %72 = icmp slt i64 %71, %11
  %73 = icmp slt i64 %71, %58
  %74 = and i1 %72, %73
  br i1 %74, label %61, label %75, !llvm.loop !4

75:                                               ; preds = %70, %57
  %76 = load ptr, ptr %13, align 16
  %77 = load ptr, ptr %14, align 8
  %78 = load i64, ptr %15, align 32
  %79 = load i64, ptr %16, align 8
  call void %76(ptr noundef %77, i64 noundef %78, i64 noundef %79, i64 noundef %3) #8
  %80 = atomicrmw sub ptr getelementptr inbounds (%struct.anon, ptr @pool, i64 0, i32 2), i32 1 seq_cst, align 4
  %81 = icmp eq i32 %80, 1
  br i1 %81, label %83, label %82

82:                                               ; preds = %75, %83, %86, %51
  br label %17

83:                                               ; preds = %75
  %84 = load atomic i32, ptr getelementptr inbounds (%struct.anon, ptr @pool, i64 0, i32 3) seq_cst, align 4
  %85 = icmp eq i32 %84, 0
  br i1 %85, label %82, label %86

86:                                               ; preds = %83
  %87 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 1), align 8
  %88 = call i64 (i64, ...) @syscall(i64 noundef %87, ptr noundef nonnull getelementptr inbounds (%struct.anon, ptr @pool, i64 0, i32 2), i64 noundef 129, i64 noundef 1, ptr noundef null, ptr noundef null, i64 noundef 0) #8
  br label %82
}

declare i32 @pthread_detach(i64 noundef) local_unnamed_addr #3

declare i32 @clock_gettime(i32 noundef, ptr noundef) local_unnamed_addr #3

declare i64 @syscall(i64 noundef, ...) local_unnamed_addr #3

declare ptr @mmap(ptr noundef, i64 noundef, i32 noundef, i32 noundef, i32 noundef, i64 noundef) local_unnamed_addr #3

declare i32 @madvise(ptr noundef, i64 noundef, i32 noundef) local_unnamed_addr #3

declare i32 @munmap(ptr noundef, i64 noundef) local_unnamed_addr #3

declare i32 @getpid() local_unnamed_addr #3

declare i32 @sched_yield() local_unnamed_addr #3

; Function Attrs: nocallback nofree nosync nounwind speculatable willreturn memory(none)
declare i64 @llvm.smin.i64(i64, i64) #6

; Function Attrs: nocallback nofree nosync nounwind speculatable willreturn memory(none)
declare i64 @llvm.smax.i64(i64, i64) #6

; Function Attrs: nocallback nofree nosync nounwind speculatable willreturn memory(none)
declare i64 @llvm.umin.i64(i64, i64) #6

; Function Attrs: nocallback nofree nosync nounwind speculatable willreturn memory(none)
declare <2 x i64> @llvm.ctpop.v2i64(<2 x i64>) #6

; Function Attrs: nocallback nofree nosync nounwind willreturn memory(none)
declare i64 @llvm.vector.reduce.add.v2i64(<2 x i64>) #7

attributes #0 = { nounwind "no-builtins" "no-trapping-math"="true" "stack-protector-buffer-size"="8" }
attributes #1 = { mustprogress nocallback nofree nosync nounwind willreturn memory(argmem: readwrite) }
attributes #2 = { mustprogress nofree nounwind willreturn memory(readwrite, argmem: none, inaccessiblemem: none) "no-builtins" "no-trapping-math"="true" "stack-protector-buffer-size"="8" }
attributes #3 = { "no-builtins" "no-trapping-math"="true" "stack-protector-buffer-size"="8" }
attributes #4 = { noinline nounwind "no-builtins" "no-trapping-math"="true" "stack-protector-buffer-size"="8" }
attributes #5 = { noreturn nounwind "no-builtins" "no-trapping-math"="true" "stack-protector-buffer-size"="8" }
attributes #6 = { nocallback nofree nosync nounwind speculatable willreturn memory(none) }
attributes #7 = { nocallback nofree nosync nounwind willreturn memory(none) }
attributes #8 = { nobuiltin nounwind "no-builtins" }
attributes #9 = { nounwind }
attributes #10 = { nobuiltin "no-builtins" }

!llvm.module.flags = !{!0, !1}

!0 = !{i32 1, !"wchar_size", i32 4}
!1 = !{i32 8, !"PIC Level", i32 2}
!3 = !{!"branch_weights", i32 1, i32 2000}
!4 = distinct !{!4, !5}
!5 = !{!"llvm.loop.mustprogress"}
!6 = distinct !{!6, !5}
!7 = distinct !{!7, !5}
!8 = distinct !{!8, !5}
!9 = !{!"branch_weights", i32 2000, i32 1}
!10 = distinct !{!10, !5, !11, !12}
!11 = !{!"llvm.loop.isvectorized", i32 1}
!12 = !{!"llvm.loop.unroll.runtime.disable"}
!13 = !{!"branch_weights", i32 4001, i32 4000000}
!14 = distinct !{!14, !5}
!15 = distinct !{!15, !5}
