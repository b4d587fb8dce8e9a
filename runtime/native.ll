; Made from native.c by make_native.py; do not edit.
; Triple and data layout are set when it is compiled.

%struct.anon = type { i32, [288 x ptr], ptr, ptr, i64, i64, i64, i64, i64, i64, [56 x i8] }
%struct.anon.0 = type { [127 x i8], i8, ptr, ptr, ptr, ptr, ptr }
%struct.anon.1 = type { i32, [60 x i8], i32, i32, i32, [52 x i8] }
%struct.Mailbox = type { i32, i32, i32, ptr, ptr, i64, i64, i64, [8 x i8] }
%struct.GcConfig = type { i64, i64, i64, i64, ptr, ptr, ptr, ptr, ptr, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64 }
%struct.Member = type { ptr, i32, i64, i32, ptr }
%struct.GetSet = type { ptr, ptr, ptr, ptr, ptr }
%struct.Slot = type { i32, ptr }
%struct.anon.2 = type { ptr, i32, i32, i32, ptr }
%struct.Block = type { i64, i64, ptr, ptr, ptr, ptr, ptr, i64 }
%struct.Compiled = type { [16 x i8], ptr, ptr, ptr, ptr, ptr, ptr, ptr, i64, i64, i64 }
%struct.Specialization = type { ptr, ptr, ptr, i64, i64, ptr, ptr, ptr, %struct.Head }
%struct.Head = type { i64, i64, i64, i64, i64, i64, i64, i64, i64, ptr, ptr, ptr, i64 }
%struct.Argument = type { i8, i8, i8, i8, i32, ptr, i32, i32, i64 }
%struct.Output = type { i8, i8, [2 x i8], i32, ptr, i32, i32, i64 }
%struct.GcRuntime = type { ptr, i64, i64 }
%struct.Frame = type { ptr, ptr, ptr, ptr, ptr, i64 }

@memory = internal global %struct.anon { i32 0, [288 x ptr] zeroinitializer, ptr null, ptr null, i64 0, i64 0, i64 1073741824, i64 0, i64 0, i64 0, [56 x i8] undef }, align 64
@gc_handler = local_unnamed_addr global %struct.anon.0 { [127 x i8] c"graphc\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00", i8 1, ptr null, ptr @handler_malloc, ptr @handler_calloc, ptr @handler_realloc, ptr @handler_free }, align 8
@gc_workers = hidden local_unnamed_addr global i32 1, align 4
@pool = internal global %struct.anon.1 zeroinitializer, align 64
@mailbox = internal global [1024 x %struct.Mailbox] zeroinitializer, align 64
@gc_fork_registered = internal unnamed_addr global i32 0, align 4
@gc_config = hidden local_unnamed_addr global %struct.GcConfig zeroinitializer, align 8
@gc_make_type.members = internal global [4 x %struct.Member] [%struct.Member { ptr @.str, i32 19, i64 16, i32 1, ptr null }, %struct.Member { ptr @.str.1, i32 19, i64 24, i32 1, ptr null }, %struct.Member { ptr @.str.2, i32 19, i64 32, i32 1, ptr null }, %struct.Member zeroinitializer], align 16
@.str = private unnamed_addr constant [21 x i8] c"__vectorcalloffset__\00", align 1
@.str.1 = private unnamed_addr constant [15 x i8] c"__dictoffset__\00", align 1
@.str.2 = private unnamed_addr constant [19 x i8] c"__weaklistoffset__\00", align 1
@gc_make_type.getset = internal global [2 x %struct.GetSet] [%struct.GetSet { ptr @.str.3, ptr @PyObject_GenericGetDict, ptr @PyObject_GenericSetDict, ptr null, ptr null }, %struct.GetSet zeroinitializer], align 16
@.str.3 = private unnamed_addr constant [9 x i8] c"__dict__\00", align 1
@gc_make_type.slots = internal global [9 x %struct.Slot] [%struct.Slot { i32 50, ptr @PyVectorcall_Call }, %struct.Slot { i32 52, ptr @compiled_dealloc }, %struct.Slot { i32 54, ptr @compiled_get }, %struct.Slot { i32 71, ptr @compiled_traverse }, %struct.Slot { i32 51, ptr @compiled_clear }, %struct.Slot { i32 65, ptr @compiled_new }, %struct.Slot { i32 72, ptr @gc_make_type.members }, %struct.Slot { i32 73, ptr @gc_make_type.getset }, %struct.Slot zeroinitializer], align 16
@gc_make_type.spec = internal global %struct.anon.2 { ptr @.str.4, i32 96, i32 0, i32 150528, ptr @gc_make_type.slots }, align 8
@.str.4 = private unnamed_addr constant [24 x i8] c"graphc_runtime.Compiled\00", align 1
@gc_layout = local_unnamed_addr constant [5 x i64] [i64 104, i64 32, i64 32, i64 96, i64 152], align 16
@_Py_NoneStruct = external global [0 x i8], align 1
@PyExc_TypeError = external local_unnamed_addr global ptr, align 8
@.str.5 = private unnamed_addr constant [65 x i8] c"Compiled(miss, error=None) takes one or two positional arguments\00", align 1
@PyExc_RuntimeError = external local_unnamed_addr global ptr, align 8
@.str.6 = private unnamed_addr constant [52 x i8] c"a compiled function was called after it was cleared\00", align 1
@PyFloat_Type = external global [0 x i8], align 1
@PyLong_Type = external global [0 x i8], align 1
@_Py_TrueStruct = external global [0 x i8], align 1
@_Py_FalseStruct = external global [0 x i8], align 1
@PyComplex_Type = external global [0 x i8], align 1
@PyExc_MemoryError = external local_unnamed_addr global ptr, align 8
@.str.7 = private unnamed_addr constant [67 x i8] c"unable to allocate %lld bytes of workspace for a compiled function\00", align 1
@.str.8 = private unnamed_addr constant [43 x i8] c"generated code failed with error code %lld\00", align 1

; Function Attrs: nounwind
define hidden void @gc_memory_before_fork() #0 {
  %1 = atomicrmw xchg ptr @memory, i32 1 acquire, align 4
  %2 = icmp eq i32 %1, 0
  br i1 %2, label %13, label %6

3:                                                ; preds = %9, %6
  %4 = atomicrmw xchg ptr @memory, i32 1 acquire, align 4
  %5 = icmp eq i32 %4, 0
  br i1 %5, label %13, label %6, !llvm.loop !3

6:                                                ; preds = %0, %3
  %7 = load atomic i32, ptr @memory acquire, align 64
  %8 = icmp eq i32 %7, 0
  br i1 %8, label %3, label %9

9:                                                ; preds = %6, %9
  %10 = tail call i32 @sched_yield() #16
  %11 = load atomic i32, ptr @memory acquire, align 64
  %12 = icmp eq i32 %11, 0
  br i1 %12, label %3, label %9, !llvm.loop !5

13:                                               ; preds = %3, %0
  ret void
}

; Function Attrs: mustprogress nofree norecurse nounwind willreturn memory(readwrite, argmem: none, inaccessiblemem: none)
define hidden void @gc_memory_after_fork() #1 {
  store atomic i32 0, ptr @memory release, align 64
  ret void
}

; Function Attrs: nounwind
define ptr @gc_block_take(i64 noundef %0) local_unnamed_addr #0 {
  %2 = tail call i64 @llvm.smax.i64(i64 %0, i64 4096)
  %3 = tail call i64 @llvm.ctlz.i64(i64 %2, i1 true), !range !6
  %4 = xor i64 %3, 63
  %5 = icmp ugt i64 %4, 46
  br i1 %5, label %113, label %6

6:                                                ; preds = %1
  %7 = sub nsw i64 60, %3
  %8 = shl nuw nsw i64 1, %7
  %9 = shl nuw nsw i64 1, %4
  %10 = xor i64 %9, -1
  %11 = add nsw i64 %2, %10
  %12 = add i64 %11, %8
  %13 = ashr i64 %12, %7
  %14 = shl i64 %13, %7
  %15 = add nsw i64 %14, %9
  %16 = shl nuw nsw i64 %3, 3
  %17 = sub nsw i64 408, %16
  %18 = add nsw i64 %13, %17
  %19 = icmp slt i64 %18, 0
  br i1 %19, label %113, label %20

20:                                               ; preds = %6
  %21 = atomicrmw xchg ptr @memory, i32 1 acquire, align 4
  %22 = icmp eq i32 %21, 0
  br i1 %22, label %33, label %26

23:                                               ; preds = %29, %26
  %24 = atomicrmw xchg ptr @memory, i32 1 acquire, align 4
  %25 = icmp eq i32 %24, 0
  br i1 %25, label %33, label %26, !llvm.loop !3

26:                                               ; preds = %20, %23
  %27 = load atomic i32, ptr @memory acquire, align 64
  %28 = icmp eq i32 %27, 0
  br i1 %28, label %23, label %29

29:                                               ; preds = %26, %29
  %30 = tail call i32 @sched_yield() #16
  %31 = load atomic i32, ptr @memory acquire, align 64
  %32 = icmp eq i32 %31, 0
  br i1 %32, label %23, label %29, !llvm.loop !5

33:                                               ; preds = %23, %20
  %34 = getelementptr inbounds %struct.anon, ptr @memory, i64 0, i32 1, i64 %18
  %35 = load ptr, ptr %34, align 8
  %36 = load i64, ptr getelementptr inbounds (%struct.anon, ptr @memory, i64 0, i32 7), align 16
  %37 = add nsw i64 %36, 1
  store i64 %37, ptr getelementptr inbounds (%struct.anon, ptr @memory, i64 0, i32 7), align 16
  %38 = icmp eq ptr %35, null
  br i1 %38, label %78, label %39

39:                                               ; preds = %33
  %40 = getelementptr inbounds %struct.Block, ptr %35, i64 0, i32 4
  %41 = load ptr, ptr %40, align 8
  %42 = icmp eq ptr %41, null
  %43 = getelementptr inbounds %struct.Block, ptr %35, i64 0, i32 5
  %44 = load ptr, ptr %43, align 8
  br i1 %42, label %47, label %45

45:                                               ; preds = %39
  %46 = getelementptr inbounds %struct.Block, ptr %41, i64 0, i32 5
  br label %51

47:                                               ; preds = %39
  %48 = getelementptr inbounds %struct.Block, ptr %35, i64 0, i32 1
  %49 = load i64, ptr %48, align 8
  %50 = getelementptr inbounds %struct.anon, ptr @memory, i64 0, i32 1, i64 %49
  br label %51

51:                                               ; preds = %47, %45
  %52 = phi ptr [ %50, %47 ], [ %46, %45 ]
  store ptr %44, ptr %52, align 8
  %53 = load ptr, ptr %43, align 8
  %54 = icmp eq ptr %53, null
  br i1 %54, label %58, label %55

55:                                               ; preds = %51
  %56 = load ptr, ptr %40, align 8
  %57 = getelementptr inbounds %struct.Block, ptr %53, i64 0, i32 4
  store ptr %56, ptr %57, align 8
  br label %58

58:                                               ; preds = %55, %51
  %59 = getelementptr inbounds %struct.Block, ptr %35, i64 0, i32 2
  %60 = load ptr, ptr %59, align 8
  %61 = icmp eq ptr %60, null
  %62 = getelementptr inbounds %struct.Block, ptr %35, i64 0, i32 3
  %63 = load ptr, ptr %62, align 8
  %64 = getelementptr inbounds %struct.Block, ptr %60, i64 0, i32 3
  %65 = select i1 %61, ptr getelementptr inbounds (%struct.anon, ptr @memory, i64 0, i32 2), ptr %64
  store ptr %63, ptr %65, align 8
  %66 = load ptr, ptr %62, align 8
  %67 = icmp eq ptr %66, null
  %68 = load ptr, ptr %59, align 8
  br i1 %67, label %71, label %69

69:                                               ; preds = %58
  %70 = getelementptr inbounds %struct.Block, ptr %66, i64 0, i32 2
  store ptr %68, ptr %70, align 8
  br label %72

71:                                               ; preds = %58
  store ptr %68, ptr getelementptr inbounds (%struct.anon, ptr @memory, i64 0, i32 3), align 16
  br label %72

72:                                               ; preds = %69, %71
  %73 = load i64, ptr %35, align 8
  %74 = load i64, ptr getelementptr inbounds (%struct.anon, ptr @memory, i64 0, i32 4), align 8
  %75 = sub nsw i64 %74, %73
  store i64 %75, ptr getelementptr inbounds (%struct.anon, ptr @memory, i64 0, i32 4), align 8
  %76 = load i64, ptr getelementptr inbounds (%struct.anon, ptr @memory, i64 0, i32 8), align 8
  %77 = add nsw i64 %76, 1
  store i64 %77, ptr getelementptr inbounds (%struct.anon, ptr @memory, i64 0, i32 8), align 8
  br label %78

78:                                               ; preds = %72, %33
  %79 = load i64, ptr getelementptr inbounds (%struct.anon, ptr @memory, i64 0, i32 5), align 32
  %80 = add nsw i64 %79, %15
  store i64 %80, ptr getelementptr inbounds (%struct.anon, ptr @memory, i64 0, i32 5), align 32
  %81 = load i64, ptr getelementptr inbounds (%struct.anon, ptr @memory, i64 0, i32 9), align 64
  %82 = icmp sgt i64 %80, %81
  br i1 %82, label %83, label %84

83:                                               ; preds = %78
  store i64 %80, ptr getelementptr inbounds (%struct.anon, ptr @memory, i64 0, i32 9), align 64
  br label %84

84:                                               ; preds = %83, %78
  store atomic i32 0, ptr @memory release, align 64
  br i1 %38, label %87, label %85

85:                                               ; preds = %84
  %86 = getelementptr inbounds %struct.Block, ptr %35, i64 1
  br label %113

87:                                               ; preds = %84
  %88 = tail call fastcc ptr @map_block(i64 noundef %15) #17
  %89 = icmp eq ptr %88, null
  br i1 %89, label %90, label %93

90:                                               ; preds = %87
  tail call fastcc void @trim_to(i64 noundef 0) #17
  %91 = tail call fastcc ptr @map_block(i64 noundef %15) #17
  %92 = icmp eq ptr %91, null
  br i1 %92, label %97, label %93

93:                                               ; preds = %87, %90
  %94 = phi ptr [ %91, %90 ], [ %88, %87 ]
  store i64 %15, ptr %94, align 8
  %95 = getelementptr inbounds %struct.Block, ptr %94, i64 0, i32 1
  store i64 %18, ptr %95, align 8
  %96 = getelementptr inbounds %struct.Block, ptr %94, i64 1
  br label %113

97:                                               ; preds = %90
  %98 = atomicrmw xchg ptr @memory, i32 1 acquire, align 4
  %99 = icmp eq i32 %98, 0
  br i1 %99, label %110, label %103

100:                                              ; preds = %106, %103
  %101 = atomicrmw xchg ptr @memory, i32 1 acquire, align 4
  %102 = icmp eq i32 %101, 0
  br i1 %102, label %110, label %103, !llvm.loop !3

103:                                              ; preds = %97, %100
  %104 = load atomic i32, ptr @memory acquire, align 64
  %105 = icmp eq i32 %104, 0
  br i1 %105, label %100, label %106

106:                                              ; preds = %103, %106
  %107 = tail call i32 @sched_yield() #16
  %108 = load atomic i32, ptr @memory acquire, align 64
  %109 = icmp eq i32 %108, 0
  br i1 %109, label %100, label %106, !llvm.loop !5

110:                                              ; preds = %100, %97
  %111 = load i64, ptr getelementptr inbounds (%struct.anon, ptr @memory, i64 0, i32 5), align 32
  %112 = sub nsw i64 %111, %15
  store i64 %112, ptr getelementptr inbounds (%struct.anon, ptr @memory, i64 0, i32 5), align 32
  store atomic i32 0, ptr @memory release, align 64
  br label %113

113:                                              ; preds = %1, %85, %93, %110, %6
  %114 = phi ptr [ null, %6 ], [ %86, %85 ], [ %96, %93 ], [ null, %110 ], [ null, %1 ]
  ret ptr %114
}

; Function Attrs: mustprogress nocallback nofree nosync nounwind willreturn memory(argmem: readwrite)
declare void @llvm.lifetime.start.p0(i64 immarg, ptr nocapture) #2

; Function Attrs: nounwind
define internal fastcc ptr @map_block(i64 noundef %0) unnamed_addr #0 {
  %2 = icmp sgt i64 %0, 2097151
  %3 = add nsw i64 %0, 4095
  %4 = and i64 %3, -4096
  %5 = add nsw i64 %4, 4096
  %6 = select i1 %2, i64 2097152, i64 0
  %7 = add nsw i64 %5, %6
  %8 = tail call ptr @mmap(ptr noundef null, i64 noundef %7, i32 noundef 3, i32 noundef 34, i32 noundef -1, i64 noundef 0) #16
  %9 = icmp eq ptr %8, inttoptr (i64 -1 to ptr)
  br i1 %9, label %39, label %10

10:                                               ; preds = %1
  %11 = select i1 %2, i64 -2097152, i64 -4096
  %12 = ptrtoint ptr %8 to i64
  %13 = select i1 %2, i64 2101247, i64 8191
  %14 = add i64 %13, %12
  %15 = and i64 %14, %11
  %16 = inttoptr i64 %15 to ptr
  %17 = getelementptr inbounds i8, ptr %16, i64 -4096
  %18 = getelementptr inbounds i8, ptr %16, i64 %4
  %19 = icmp ugt ptr %17, %8
  br i1 %19, label %20, label %24

20:                                               ; preds = %10
  %21 = ptrtoint ptr %17 to i64
  %22 = sub i64 %21, %12
  %23 = tail call i32 @munmap(ptr noundef %8, i64 noundef %22) #16
  br label %24

24:                                               ; preds = %20, %10
  %25 = getelementptr inbounds i8, ptr %8, i64 %7
  %26 = icmp ugt ptr %25, %18
  br i1 %26, label %27, label %32

27:                                               ; preds = %24
  %28 = ptrtoint ptr %25 to i64
  %29 = ptrtoint ptr %18 to i64
  %30 = sub i64 %28, %29
  %31 = tail call i32 @munmap(ptr noundef %18, i64 noundef %30) #16
  br label %32

32:                                               ; preds = %27, %24
  br i1 %2, label %33, label %35

33:                                               ; preds = %32
  %34 = tail call i32 @madvise(ptr noundef %16, i64 noundef %4, i32 noundef 14) #16
  br label %35

35:                                               ; preds = %33, %32
  %36 = getelementptr inbounds %struct.Block, ptr %16, i64 -1
  %37 = getelementptr %struct.Block, ptr %16, i64 -1, i32 6
  store ptr %17, ptr %37, align 16
  %38 = getelementptr %struct.Block, ptr %16, i64 -1, i32 7
  store i64 %5, ptr %38, align 8
  br label %39

39:                                               ; preds = %1, %35
  %40 = phi ptr [ %36, %35 ], [ null, %1 ]
  ret ptr %40
}

; Function Attrs: nounwind
define internal fastcc void @trim_to(i64 noundef %0) unnamed_addr #0 {
  br label %2

2:                                                ; preds = %54, %1
  %3 = atomicrmw xchg ptr @memory, i32 1 acquire, align 4
  %4 = icmp eq i32 %3, 0
  br i1 %4, label %15, label %8

5:                                                ; preds = %11, %8
  %6 = atomicrmw xchg ptr @memory, i32 1 acquire, align 4
  %7 = icmp eq i32 %6, 0
  br i1 %7, label %15, label %8, !llvm.loop !3

8:                                                ; preds = %2, %5
  %9 = load atomic i32, ptr @memory acquire, align 64
  %10 = icmp eq i32 %9, 0
  br i1 %10, label %5, label %11

11:                                               ; preds = %8, %11
  %12 = tail call i32 @sched_yield() #16
  %13 = load atomic i32, ptr @memory acquire, align 64
  %14 = icmp eq i32 %13, 0
  br i1 %14, label %5, label %11, !llvm.loop !5

15:                                               ; preds = %5, %2
  %16 = load i64, ptr getelementptr inbounds (%struct.anon, ptr @memory, i64 0, i32 4), align 8
  %17 = icmp sle i64 %16, %0
  %18 = load ptr, ptr getelementptr inbounds (%struct.anon, ptr @memory, i64 0, i32 3), align 16
  %19 = icmp eq ptr %18, null
  %20 = select i1 %17, i1 true, i1 %19
  br i1 %20, label %63, label %21

21:                                               ; preds = %15
  %22 = getelementptr inbounds %struct.Block, ptr %18, i64 0, i32 4
  %23 = load ptr, ptr %22, align 8
  %24 = icmp eq ptr %23, null
  %25 = getelementptr inbounds %struct.Block, ptr %18, i64 0, i32 5
  %26 = load ptr, ptr %25, align 8
  br i1 %24, label %29, label %27

27:                                               ; preds = %21
  %28 = getelementptr inbounds %struct.Block, ptr %23, i64 0, i32 5
  br label %33

29:                                               ; preds = %21
  %30 = getelementptr inbounds %struct.Block, ptr %18, i64 0, i32 1
  %31 = load i64, ptr %30, align 8
  %32 = getelementptr inbounds %struct.anon, ptr @memory, i64 0, i32 1, i64 %31
  br label %33

33:                                               ; preds = %29, %27
  %34 = phi ptr [ %32, %29 ], [ %28, %27 ]
  store ptr %26, ptr %34, align 8
  %35 = load ptr, ptr %25, align 8
  %36 = icmp eq ptr %35, null
  br i1 %36, label %40, label %37

37:                                               ; preds = %33
  %38 = load ptr, ptr %22, align 8
  %39 = getelementptr inbounds %struct.Block, ptr %35, i64 0, i32 4
  store ptr %38, ptr %39, align 8
  br label %40

40:                                               ; preds = %37, %33
  %41 = getelementptr inbounds %struct.Block, ptr %18, i64 0, i32 2
  %42 = load ptr, ptr %41, align 8
  %43 = icmp eq ptr %42, null
  %44 = getelementptr inbounds %struct.Block, ptr %18, i64 0, i32 3
  %45 = load ptr, ptr %44, align 8
  %46 = getelementptr inbounds %struct.Block, ptr %42, i64 0, i32 3
  %47 = select i1 %43, ptr getelementptr inbounds (%struct.anon, ptr @memory, i64 0, i32 2), ptr %46
  store ptr %45, ptr %47, align 8
  %48 = load ptr, ptr %44, align 8
  %49 = icmp eq ptr %48, null
  %50 = load ptr, ptr %41, align 8
  br i1 %49, label %53, label %51

51:                                               ; preds = %40
  %52 = getelementptr inbounds %struct.Block, ptr %48, i64 0, i32 2
  store ptr %50, ptr %52, align 8
  br label %54

53:                                               ; preds = %40
  store ptr %50, ptr getelementptr inbounds (%struct.anon, ptr @memory, i64 0, i32 3), align 16
  br label %54

54:                                               ; preds = %53, %51
  %55 = load i64, ptr %18, align 8
  %56 = load i64, ptr getelementptr inbounds (%struct.anon, ptr @memory, i64 0, i32 4), align 8
  %57 = sub nsw i64 %56, %55
  store i64 %57, ptr getelementptr inbounds (%struct.anon, ptr @memory, i64 0, i32 4), align 8
  store atomic i32 0, ptr @memory release, align 64
  %58 = getelementptr inbounds %struct.Block, ptr %18, i64 0, i32 6
  %59 = load ptr, ptr %58, align 8
  %60 = getelementptr inbounds %struct.Block, ptr %18, i64 0, i32 7
  %61 = load i64, ptr %60, align 8
  %62 = tail call i32 @munmap(ptr noundef %59, i64 noundef %61) #16
  br label %2

63:                                               ; preds = %15
  store atomic i32 0, ptr @memory release, align 64
  ret void
}

; Function Attrs: mustprogress nocallback nofree nosync nounwind willreturn memory(argmem: readwrite)
declare void @llvm.lifetime.end.p0(i64 immarg, ptr nocapture) #2

; Function Attrs: nounwind
define void @gc_block_give(ptr noundef %0) local_unnamed_addr #0 {
  %2 = getelementptr inbounds %struct.Block, ptr %0, i64 -1
  %3 = atomicrmw xchg ptr @memory, i32 1 acquire, align 4
  %4 = icmp eq i32 %3, 0
  br i1 %4, label %15, label %8

5:                                                ; preds = %11, %8
  %6 = atomicrmw xchg ptr @memory, i32 1 acquire, align 4
  %7 = icmp eq i32 %6, 0
  br i1 %7, label %15, label %8, !llvm.loop !3

8:                                                ; preds = %1, %5
  %9 = load atomic i32, ptr @memory acquire, align 64
  %10 = icmp eq i32 %9, 0
  br i1 %10, label %5, label %11

11:                                               ; preds = %8, %11
  %12 = tail call i32 @sched_yield() #16
  %13 = load atomic i32, ptr @memory acquire, align 64
  %14 = icmp eq i32 %13, 0
  br i1 %14, label %5, label %11, !llvm.loop !5

15:                                               ; preds = %5, %1
  %16 = load i64, ptr %2, align 8
  %17 = load i64, ptr getelementptr inbounds (%struct.anon, ptr @memory, i64 0, i32 5), align 32
  %18 = sub nsw i64 %17, %16
  store i64 %18, ptr getelementptr inbounds (%struct.anon, ptr @memory, i64 0, i32 5), align 32
  %19 = getelementptr %struct.Block, ptr %0, i64 -1, i32 4
  store ptr null, ptr %19, align 8
  %20 = getelementptr %struct.Block, ptr %0, i64 -1, i32 1
  %21 = load i64, ptr %20, align 8
  %22 = getelementptr inbounds %struct.anon, ptr @memory, i64 0, i32 1, i64 %21
  %23 = load ptr, ptr %22, align 8
  %24 = getelementptr %struct.Block, ptr %0, i64 -1, i32 5
  store ptr %23, ptr %24, align 8
  %25 = icmp eq ptr %23, null
  br i1 %25, label %29, label %26

26:                                               ; preds = %15
  %27 = getelementptr inbounds %struct.Block, ptr %23, i64 0, i32 4
  store ptr %2, ptr %27, align 8
  %28 = load i64, ptr %20, align 8
  br label %29

29:                                               ; preds = %26, %15
  %30 = phi i64 [ %28, %26 ], [ %21, %15 ]
  %31 = getelementptr inbounds %struct.anon, ptr @memory, i64 0, i32 1, i64 %30
  store ptr %2, ptr %31, align 8
  %32 = getelementptr %struct.Block, ptr %0, i64 -1, i32 2
  store ptr null, ptr %32, align 8
  %33 = load ptr, ptr getelementptr inbounds (%struct.anon, ptr @memory, i64 0, i32 2), align 8
  %34 = getelementptr %struct.Block, ptr %0, i64 -1, i32 3
  store ptr %33, ptr %34, align 8
  %35 = icmp eq ptr %33, null
  br i1 %35, label %38, label %36

36:                                               ; preds = %29
  %37 = getelementptr inbounds %struct.Block, ptr %33, i64 0, i32 2
  store ptr %2, ptr %37, align 8
  br label %39

38:                                               ; preds = %29
  store ptr %2, ptr getelementptr inbounds (%struct.anon, ptr @memory, i64 0, i32 3), align 16
  br label %39

39:                                               ; preds = %38, %36
  store ptr %2, ptr getelementptr inbounds (%struct.anon, ptr @memory, i64 0, i32 2), align 8
  %40 = load i64, ptr %2, align 8
  %41 = load i64, ptr getelementptr inbounds (%struct.anon, ptr @memory, i64 0, i32 4), align 8
  %42 = add nsw i64 %41, %40
  store i64 %42, ptr getelementptr inbounds (%struct.anon, ptr @memory, i64 0, i32 4), align 8
  %43 = load i64, ptr getelementptr inbounds (%struct.anon, ptr @memory, i64 0, i32 6), align 8
  %44 = icmp sgt i64 %42, %43
  store atomic i32 0, ptr @memory release, align 64
  br i1 %44, label %45, label %46

45:                                               ; preds = %39
  tail call fastcc void @trim_to(i64 noundef %43) #17
  br label %46

46:                                               ; preds = %45, %39
  ret void
}

; Function Attrs: nounwind
define internal ptr @handler_malloc(ptr nocapture readnone %0, i64 noundef %1) #0 {
  %3 = tail call ptr @gc_block_take(i64 noundef %1) #17
  ret ptr %3
}

; Function Attrs: nounwind
define internal ptr @handler_calloc(ptr nocapture readnone %0, i64 noundef %1, i64 noundef %2) #0 {
  %4 = tail call { i64, i1 } @llvm.smul.with.overflow.i64(i64 %1, i64 %2)
  %5 = extractvalue { i64, i1 } %4, 1
  %6 = extractvalue { i64, i1 } %4, 0
  br i1 %5, label %12, label %7

7:                                                ; preds = %3
  %8 = tail call ptr @gc_block_take(i64 noundef %6) #17
  %9 = icmp eq ptr %8, null
  br i1 %9, label %12, label %10

10:                                               ; preds = %7
  %11 = tail call ptr @memset(ptr noundef nonnull %8, i32 noundef 0, i64 noundef %6) #16
  br label %12

12:                                               ; preds = %10, %7, %3
  %13 = phi ptr [ null, %3 ], [ %11, %10 ], [ null, %7 ]
  ret ptr %13
}

; Function Attrs: nounwind
define internal ptr @handler_realloc(ptr nocapture readnone %0, ptr noundef %1, i64 noundef %2) #0 {
  %4 = icmp eq ptr %1, null
  br i1 %4, label %5, label %7

5:                                                ; preds = %3
  %6 = tail call ptr @gc_block_take(i64 noundef %2) #17
  br label %16

7:                                                ; preds = %3
  %8 = getelementptr inbounds %struct.Block, ptr %1, i64 -1
  %9 = load i64, ptr %8, align 8
  %10 = icmp slt i64 %9, %2
  br i1 %10, label %11, label %16

11:                                               ; preds = %7
  %12 = tail call ptr @gc_block_take(i64 noundef %2) #17
  %13 = icmp eq ptr %12, null
  br i1 %13, label %16, label %14

14:                                               ; preds = %11
  %15 = tail call ptr @memcpy(ptr noundef nonnull %12, ptr noundef nonnull %1, i64 noundef %9) #16
  tail call void @gc_block_give(ptr noundef nonnull %1) #17
  br label %16

16:                                               ; preds = %7, %11, %14, %5
  %17 = phi ptr [ %6, %5 ], [ %1, %7 ], [ %12, %14 ], [ null, %11 ]
  ret ptr %17
}

; Function Attrs: nounwind
define internal void @handler_free(ptr nocapture readnone %0, ptr noundef %1, i64 %2) #0 {
  %4 = icmp eq ptr %1, null
  br i1 %4, label %6, label %5

5:                                                ; preds = %3
  tail call void @gc_block_give(ptr noundef nonnull %1) #17
  br label %6

6:                                                ; preds = %5, %3
  ret void
}

; Function Attrs: nounwind
define void @gc_pool_statistics(ptr nocapture noundef writeonly %0) local_unnamed_addr #0 {
  %2 = atomicrmw xchg ptr @memory, i32 1 acquire, align 4
  %3 = icmp eq i32 %2, 0
  br i1 %3, label %14, label %7

4:                                                ; preds = %10, %7
  %5 = atomicrmw xchg ptr @memory, i32 1 acquire, align 4
  %6 = icmp eq i32 %5, 0
  br i1 %6, label %14, label %7, !llvm.loop !3

7:                                                ; preds = %1, %4
  %8 = load atomic i32, ptr @memory acquire, align 64
  %9 = icmp eq i32 %8, 0
  br i1 %9, label %4, label %10

10:                                               ; preds = %7, %10
  %11 = tail call i32 @sched_yield() #16
  %12 = load atomic i32, ptr @memory acquire, align 64
  %13 = icmp eq i32 %12, 0
  br i1 %13, label %4, label %10, !llvm.loop !5

14:                                               ; preds = %4, %1
  %15 = load i64, ptr getelementptr inbounds (%struct.anon, ptr @memory, i64 0, i32 4), align 8
  store i64 %15, ptr %0, align 8
  %16 = load i64, ptr getelementptr inbounds (%struct.anon, ptr @memory, i64 0, i32 5), align 32
  %17 = getelementptr inbounds i64, ptr %0, i64 1
  store i64 %16, ptr %17, align 8
  %18 = load i64, ptr getelementptr inbounds (%struct.anon, ptr @memory, i64 0, i32 6), align 8
  %19 = getelementptr inbounds i64, ptr %0, i64 2
  store i64 %18, ptr %19, align 8
  %20 = load i64, ptr getelementptr inbounds (%struct.anon, ptr @memory, i64 0, i32 9), align 64
  %21 = getelementptr inbounds i64, ptr %0, i64 3
  store i64 %20, ptr %21, align 8
  %22 = load i64, ptr getelementptr inbounds (%struct.anon, ptr @memory, i64 0, i32 7), align 16
  %23 = getelementptr inbounds i64, ptr %0, i64 4
  store i64 %22, ptr %23, align 8
  %24 = load i64, ptr getelementptr inbounds (%struct.anon, ptr @memory, i64 0, i32 8), align 8
  %25 = getelementptr inbounds i64, ptr %0, i64 5
  store i64 %24, ptr %25, align 8
  store atomic i32 0, ptr @memory release, align 64
  ret void
}

; Function Attrs: nounwind
define void @gc_pool_limit(i64 noundef %0) local_unnamed_addr #0 {
  %2 = atomicrmw xchg ptr @memory, i32 1 acquire, align 4
  %3 = icmp eq i32 %2, 0
  br i1 %3, label %14, label %7

4:                                                ; preds = %10, %7
  %5 = atomicrmw xchg ptr @memory, i32 1 acquire, align 4
  %6 = icmp eq i32 %5, 0
  br i1 %6, label %14, label %7, !llvm.loop !3

7:                                                ; preds = %1, %4
  %8 = load atomic i32, ptr @memory acquire, align 64
  %9 = icmp eq i32 %8, 0
  br i1 %9, label %4, label %10

10:                                               ; preds = %7, %10
  %11 = tail call i32 @sched_yield() #16
  %12 = load atomic i32, ptr @memory acquire, align 64
  %13 = icmp eq i32 %12, 0
  br i1 %13, label %4, label %10, !llvm.loop !5

14:                                               ; preds = %4, %1
  %15 = tail call i64 @llvm.smax.i64(i64 %0, i64 0)
  store i64 %15, ptr getelementptr inbounds (%struct.anon, ptr @memory, i64 0, i32 6), align 8
  store atomic i32 0, ptr @memory release, align 64
  tail call fastcc void @trim_to(i64 noundef %15) #17
  ret void
}

; Function Attrs: nounwind
define void @gc_pool_trim(i64 noundef %0) local_unnamed_addr #0 {
  tail call fastcc void @trim_to(i64 noundef %0) #17
  ret void
}

; Function Attrs: nounwind
define void @gc_parallel_for(ptr noundef %0, ptr noundef %1, i64 noundef %2, i64 noundef %3, i64 noundef %4) local_unnamed_addr #0 {
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
  tail call void %0(ptr noundef %1, i64 noundef 0, i64 noundef %2, i64 noundef 0) #16
  br label %156

26:                                               ; preds = %22
  %27 = load i32, ptr getelementptr inbounds (%struct.anon.1, ptr @pool, i64 0, i32 4), align 8
  %28 = add nsw i32 %27, 1
  %29 = sext i32 %28 to i64
  %30 = icmp sgt i64 %20, %29
  br i1 %30, label %31, label %60, !prof !7

31:                                               ; preds = %26
  call void @llvm.lifetime.start.p0(i64 128, ptr nonnull %7) #18
  call void @llvm.lifetime.start.p0(i64 128, ptr nonnull %8) #18
  %32 = call ptr @memset(ptr noundef nonnull %7, i32 noundef 255, i64 noundef 128) #16
  %33 = call i32 @pthread_sigmask(i32 noundef 2, ptr noundef nonnull %7, ptr noundef nonnull %8) #16
  %34 = load i32, ptr getelementptr inbounds (%struct.anon.1, ptr @pool, i64 0, i32 4), align 8
  %35 = add nsw i32 %34, 1
  %36 = sext i32 %35 to i64
  %37 = icmp sgt i64 %20, %36
  br i1 %37, label %38, label %54

38:                                               ; preds = %31, %46
  %39 = phi i64 [ %52, %46 ], [ %36, %31 ]
  call void @llvm.lifetime.start.p0(i64 8, ptr nonnull %9) #18
  %40 = getelementptr inbounds [1024 x %struct.Mailbox], ptr @mailbox, i64 0, i64 %39
  %41 = getelementptr inbounds [1024 x %struct.Mailbox], ptr @mailbox, i64 0, i64 %39, i32 2
  store i32 0, ptr %41, align 8
  store <2 x i32> zeroinitializer, ptr %40, align 64
  %42 = inttoptr i64 %39 to ptr
  %43 = call i32 @pthread_create(ptr noundef nonnull %9, ptr noundef null, ptr noundef nonnull @worker_main, ptr noundef %42) #16
  %44 = icmp eq i32 %43, 0
  br i1 %44, label %46, label %45

45:                                               ; preds = %38
  call void @llvm.lifetime.end.p0(i64 8, ptr nonnull %9) #18
  br label %54

46:                                               ; preds = %38
  %47 = load i64, ptr %9, align 8
  %48 = call i32 @pthread_detach(i64 noundef %47) #16
  %49 = load i32, ptr getelementptr inbounds (%struct.anon.1, ptr @pool, i64 0, i32 4), align 8
  %50 = add nsw i32 %49, 1
  store i32 %50, ptr getelementptr inbounds (%struct.anon.1, ptr @pool, i64 0, i32 4), align 8
  call void @llvm.lifetime.end.p0(i64 8, ptr nonnull %9) #18
  %51 = add nsw i32 %49, 2
  %52 = sext i32 %51 to i64
  %53 = icmp sgt i64 %20, %52
  br i1 %53, label %38, label %54

54:                                               ; preds = %46, %45, %31
  %55 = call i32 @pthread_sigmask(i32 noundef 2, ptr noundef nonnull %8, ptr noundef null) #16
  %56 = load i32, ptr getelementptr inbounds (%struct.anon.1, ptr @pool, i64 0, i32 4), align 8
  %57 = add nsw i32 %56, 1
  %58 = sext i32 %57 to i64
  %59 = call i64 @llvm.smin.i64(i64 %58, i64 %20)
  call void @llvm.lifetime.end.p0(i64 128, ptr nonnull %8) #18
  call void @llvm.lifetime.end.p0(i64 128, ptr nonnull %7) #18
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
  store atomic i32 %68, ptr getelementptr inbounds (%struct.anon.1, ptr @pool, i64 0, i32 2) release, align 64
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
  call void %0(ptr noundef %1, i64 noundef 0, i64 noundef %66, i64 noundef 0) #16
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
  %84 = call i64 (i64, ...) @syscall(i64 noundef %83, ptr noundef nonnull %82, i64 noundef 129, i64 noundef 1, ptr noundef null, ptr noundef null, i64 noundef 0) #16
  br label %85

85:                                               ; preds = %81, %76
  %86 = add nuw nsw i64 %77, 1
  %87 = icmp eq i64 %77, %74
  br i1 %87, label %88, label %76, !llvm.loop !8

88:                                               ; preds = %85
  call void %0(ptr noundef %1, i64 noundef 0, i64 noundef %66, i64 noundef 0) #16
  br label %94

89:                                               ; preds = %113, %75
  %90 = load atomic i32, ptr getelementptr inbounds (%struct.anon.1, ptr @pool, i64 0, i32 2) seq_cst, align 64
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
  call void %105(ptr noundef %107, i64 noundef %109, i64 noundef %111, i64 noundef %96) #16
  %112 = atomicrmw sub ptr getelementptr inbounds (%struct.anon.1, ptr @pool, i64 0, i32 2), i32 1 seq_cst, align 4
  br label %113

113:                                              ; preds = %103, %94
  %114 = icmp ugt i64 %95, 2
  br i1 %114, label %94, label %89, !llvm.loop !9

115:                                              ; preds = %135, %92
  %116 = phi i64 [ 0, %92 ], [ %125, %135 ]
  call void @llvm.lifetime.start.p0(i64 16, ptr nonnull %6) #18
  %117 = call i32 @clock_gettime(i32 noundef 1, ptr noundef nonnull %6) #16
  %118 = load i64, ptr %6, align 16
  %119 = mul nsw i64 %118, 1000000000
  %120 = load i64, ptr %93, align 8
  %121 = add nsw i64 %119, %120
  call void @llvm.lifetime.end.p0(i64 16, ptr nonnull %6) #18
  %122 = icmp eq i64 %116, 0
  %123 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 2), align 8
  %124 = add nsw i64 %123, %121
  %125 = select i1 %122, i64 %124, i64 %116
  %126 = icmp slt i64 %121, %125
  br i1 %126, label %135, label %127, !llvm.loop !10

127:                                              ; preds = %115
  store atomic i32 1, ptr getelementptr inbounds (%struct.anon.1, ptr @pool, i64 0, i32 3) seq_cst, align 4
  %128 = load atomic i32, ptr getelementptr inbounds (%struct.anon.1, ptr @pool, i64 0, i32 2) seq_cst, align 64
  %129 = icmp eq i32 %128, 0
  br i1 %129, label %134, label %130

130:                                              ; preds = %127
  %131 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 1), align 8
  %132 = zext i32 %128 to i64
  %133 = call i64 (i64, ...) @syscall(i64 noundef %131, ptr noundef nonnull getelementptr inbounds (%struct.anon.1, ptr @pool, i64 0, i32 2), i64 noundef 128, i64 noundef %132, ptr noundef null, ptr noundef null, i64 noundef 0) #16
  br label %134

134:                                              ; preds = %130, %127
  store atomic i32 0, ptr getelementptr inbounds (%struct.anon.1, ptr @pool, i64 0, i32 3) seq_cst, align 4
  br label %135

135:                                              ; preds = %134, %115
  %136 = load atomic i32, ptr getelementptr inbounds (%struct.anon.1, ptr @pool, i64 0, i32 2) seq_cst, align 64
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
  br i1 %155, label %70, label %139, !llvm.loop !11

156:                                              ; preds = %15, %138, %25
  ret void
}

; Function Attrs: nounwind
define void @gc_reset_after_fork() #0 {
  %1 = tail call ptr @memset(ptr noundef nonnull @pool, i32 noundef 0, i64 noundef 128) #16
  store atomic i32 0, ptr @memory release, align 64
  ret void
}

declare ptr @memset(ptr noundef, i32 noundef, i64 noundef) local_unnamed_addr #3

; Function Attrs: nounwind
define i64 @gc_register_fork() local_unnamed_addr #0 {
  %1 = load i32, ptr @gc_fork_registered, align 4
  %2 = icmp eq i32 %1, 0
  %3 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 18), align 8
  %4 = icmp ne i64 %3, 0
  %5 = select i1 %2, i1 %4, i1 false
  br i1 %5, label %6, label %10

6:                                                ; preds = %0
  %7 = tail call i32 @gc_register_atfork(ptr noundef nonnull @gc_memory_before_fork, ptr noundef nonnull @gc_memory_after_fork, ptr noundef nonnull @gc_reset_after_fork, ptr noundef null) #16
  %8 = icmp eq i32 %7, 0
  %9 = zext i1 %8 to i32
  store i32 %9, ptr @gc_fork_registered, align 4
  br label %10

10:                                               ; preds = %0, %6
  %11 = phi i32 [ %9, %6 ], [ %1, %0 ]
  %12 = zext i32 %11 to i64
  ret i64 %12
}

declare i32 @gc_register_atfork(ptr noundef, ptr noundef, ptr noundef, ptr noundef) local_unnamed_addr #3

; Function Attrs: mustprogress nofree nounwind willreturn memory(readwrite, argmem: none, inaccessiblemem: none)
define i64 @gc_set_threads(i64 noundef %0) local_unnamed_addr #4 {
  %2 = tail call i64 @llvm.smin.i64(i64 %0, i64 1024)
  %3 = tail call i64 @llvm.smax.i64(i64 %2, i64 1)
  %4 = trunc i64 %3 to i32
  store atomic i32 %4, ptr @gc_workers release, align 4
  ret i64 %3
}

; Function Attrs: mustprogress nofree norecurse nounwind willreturn memory(readwrite, argmem: none, inaccessiblemem: none)
define i64 @gc_get_threads() local_unnamed_addr #1 {
  %1 = load atomic i32, ptr @gc_workers acquire, align 4
  %2 = sext i32 %1 to i64
  ret i64 %2
}

; Function Attrs: mustprogress nofree norecurse nosync nounwind willreturn memory(read, argmem: none, inaccessiblemem: none)
define i64 @gc_started_threads() local_unnamed_addr #5 {
  %1 = load i32, ptr getelementptr inbounds (%struct.anon.1, ptr @pool, i64 0, i32 4), align 8
  %2 = sext i32 %1 to i64
  ret i64 %2
}

; Function Attrs: mustprogress nofree norecurse nounwind willreturn memory(readwrite, argmem: none, inaccessiblemem: none)
define void @gc_set_spin(i64 noundef %0) local_unnamed_addr #1 {
  store atomic i64 %0, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 2) release, align 8
  ret void
}

; Function Attrs: nounwind
define ptr @gc_make_type() local_unnamed_addr #0 {
  %1 = tail call ptr @PyType_FromSpec(ptr noundef nonnull @gc_make_type.spec) #16
  ret ptr %1
}

declare ptr @PyObject_GenericGetDict(ptr noundef, ptr noundef) #3

declare i32 @PyObject_GenericSetDict(ptr noundef, ptr noundef, ptr noundef) #3

declare ptr @PyVectorcall_Call(ptr noundef, ptr noundef, ptr noundef) #3

; Function Attrs: nounwind
define internal void @compiled_dealloc(ptr noundef %0) #0 {
  %2 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 9), align 8
  %3 = getelementptr inbounds i8, ptr %0, i64 %2
  %4 = load ptr, ptr %3, align 8
  tail call void @PyObject_GC_UnTrack(ptr noundef %0) #16
  %5 = getelementptr inbounds %struct.Compiled, ptr %0, i64 0, i32 3
  %6 = load ptr, ptr %5, align 8
  %7 = icmp eq ptr %6, null
  br i1 %7, label %9, label %8

8:                                                ; preds = %1
  tail call void @PyObject_ClearWeakRefs(ptr noundef nonnull %0) #16
  br label %9

9:                                                ; preds = %8, %1
  %10 = getelementptr inbounds %struct.Compiled, ptr %0, i64 0, i32 6
  store atomic i64 0, ptr %10 release, align 8
  %11 = getelementptr inbounds %struct.Compiled, ptr %0, i64 0, i32 2
  %12 = load ptr, ptr %11, align 8
  store ptr null, ptr %11, align 8
  %13 = icmp eq ptr %12, null
  br i1 %13, label %15, label %14

14:                                               ; preds = %9
  tail call void @Py_DecRef(ptr noundef nonnull %12) #16
  br label %15

15:                                               ; preds = %14, %9
  %16 = getelementptr inbounds %struct.Compiled, ptr %0, i64 0, i32 4
  %17 = load ptr, ptr %16, align 8
  store ptr null, ptr %16, align 8
  %18 = icmp eq ptr %17, null
  br i1 %18, label %20, label %19

19:                                               ; preds = %15
  tail call void @Py_DecRef(ptr noundef nonnull %17) #16
  br label %20

20:                                               ; preds = %19, %15
  %21 = getelementptr inbounds %struct.Compiled, ptr %0, i64 0, i32 5
  %22 = load ptr, ptr %21, align 8
  store ptr null, ptr %21, align 8
  %23 = icmp eq ptr %22, null
  br i1 %23, label %25, label %24

24:                                               ; preds = %20
  tail call void @Py_DecRef(ptr noundef nonnull %22) #16
  br label %25

25:                                               ; preds = %24, %20
  %26 = getelementptr inbounds %struct.Compiled, ptr %0, i64 0, i32 7
  %27 = load ptr, ptr %26, align 8
  %28 = icmp eq ptr %27, null
  br i1 %28, label %42, label %29

29:                                               ; preds = %25, %35
  %30 = phi ptr [ %37, %35 ], [ %27, %25 ]
  %31 = getelementptr inbounds %struct.Specialization, ptr %30, i64 0, i32 2
  %32 = load ptr, ptr %31, align 8
  store ptr null, ptr %31, align 8
  %33 = icmp eq ptr %32, null
  br i1 %33, label %35, label %34

34:                                               ; preds = %29
  tail call void @Py_DecRef(ptr noundef nonnull %32) #16
  br label %35

35:                                               ; preds = %34, %29
  %36 = getelementptr inbounds %struct.Specialization, ptr %30, i64 0, i32 1
  %37 = load ptr, ptr %36, align 8
  %38 = icmp eq ptr %37, null
  br i1 %38, label %39, label %29, !llvm.loop !12

39:                                               ; preds = %35
  %40 = load ptr, ptr %26, align 8
  %41 = icmp eq ptr %40, null
  br i1 %41, label %42, label %43

42:                                               ; preds = %43, %25, %39
  tail call void @PyObject_GC_Del(ptr noundef %0) #16
  tail call void @Py_DecRef(ptr noundef %4) #16
  ret void

43:                                               ; preds = %39, %43
  %44 = phi ptr [ %46, %43 ], [ %40, %39 ]
  %45 = getelementptr inbounds %struct.Specialization, ptr %44, i64 0, i32 1
  %46 = load ptr, ptr %45, align 8
  tail call void @free(ptr noundef nonnull %44) #16
  %47 = icmp eq ptr %46, null
  br i1 %47, label %42, label %43, !llvm.loop !13
}

; Function Attrs: nounwind
define internal ptr @compiled_get(ptr noundef %0, ptr noundef %1, ptr nocapture readnone %2) #0 {
  %4 = icmp ne ptr %1, null
  %5 = icmp ne ptr %1, @_Py_NoneStruct
  %6 = and i1 %4, %5
  br i1 %6, label %7, label %9

7:                                                ; preds = %3
  %8 = tail call ptr @PyMethod_New(ptr noundef %0, ptr noundef nonnull %1) #16
  br label %10

9:                                                ; preds = %3
  tail call void @Py_IncRef(ptr noundef %0) #16
  br label %10

10:                                               ; preds = %9, %7
  %11 = phi ptr [ %8, %7 ], [ %0, %9 ]
  ret ptr %11
}

; Function Attrs: nounwind
define internal i32 @compiled_traverse(ptr nocapture noundef readonly %0, ptr nocapture noundef readonly %1, ptr noundef %2) #0 {
  %4 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 9), align 8
  %5 = getelementptr inbounds i8, ptr %0, i64 %4
  %6 = load ptr, ptr %5, align 8
  %7 = getelementptr inbounds %struct.Compiled, ptr %0, i64 0, i32 2
  %8 = load ptr, ptr %7, align 8
  %9 = getelementptr inbounds %struct.Compiled, ptr %0, i64 0, i32 4
  %10 = load ptr, ptr %9, align 8
  %11 = getelementptr inbounds %struct.Compiled, ptr %0, i64 0, i32 5
  %12 = load ptr, ptr %11, align 8
  %13 = icmp eq ptr %6, null
  br i1 %13, label %17, label %14

14:                                               ; preds = %3
  %15 = tail call i32 %1(ptr noundef nonnull %6, ptr noundef %2) #16
  %16 = icmp eq i32 %15, 0
  br i1 %16, label %17, label %48

17:                                               ; preds = %3, %14
  %18 = icmp eq ptr %8, null
  br i1 %18, label %22, label %19

19:                                               ; preds = %17
  %20 = tail call i32 %1(ptr noundef nonnull %8, ptr noundef %2) #16
  %21 = icmp eq i32 %20, 0
  br i1 %21, label %22, label %48

22:                                               ; preds = %19, %17
  %23 = icmp eq ptr %10, null
  br i1 %23, label %27, label %24

24:                                               ; preds = %22
  %25 = tail call i32 %1(ptr noundef nonnull %10, ptr noundef %2) #16
  %26 = icmp eq i32 %25, 0
  br i1 %26, label %27, label %48

27:                                               ; preds = %24, %22
  %28 = icmp eq ptr %12, null
  br i1 %28, label %32, label %29

29:                                               ; preds = %27
  %30 = tail call i32 %1(ptr noundef nonnull %12, ptr noundef %2) #16
  %31 = icmp eq i32 %30, 0
  br i1 %31, label %32, label %48

32:                                               ; preds = %29, %27
  %33 = getelementptr inbounds %struct.Compiled, ptr %0, i64 0, i32 7
  %34 = load ptr, ptr %33, align 8
  %35 = icmp eq ptr %34, null
  br i1 %35, label %48, label %36

36:                                               ; preds = %32, %44
  %37 = phi ptr [ %46, %44 ], [ %34, %32 ]
  %38 = getelementptr inbounds %struct.Specialization, ptr %37, i64 0, i32 2
  %39 = load ptr, ptr %38, align 8
  %40 = icmp eq ptr %39, null
  br i1 %40, label %44, label %41

41:                                               ; preds = %36
  %42 = tail call i32 %1(ptr noundef nonnull %39, ptr noundef %2) #16
  %43 = icmp eq i32 %42, 0
  br i1 %43, label %44, label %48

44:                                               ; preds = %36, %41
  %45 = getelementptr inbounds %struct.Specialization, ptr %37, i64 0, i32 1
  %46 = load ptr, ptr %45, align 8
  %47 = icmp eq ptr %46, null
  br i1 %47, label %48, label %36, !llvm.loop !14

48:                                               ; preds = %41, %44, %14, %19, %24, %29, %32
  %49 = phi i32 [ 0, %32 ], [ %15, %14 ], [ %20, %19 ], [ %25, %24 ], [ %30, %29 ], [ %42, %41 ], [ 0, %44 ]
  ret i32 %49
}

; Function Attrs: nounwind
define internal i32 @compiled_clear(ptr nocapture noundef %0) #0 {
  %2 = getelementptr inbounds %struct.Compiled, ptr %0, i64 0, i32 6
  store atomic i64 0, ptr %2 release, align 8
  %3 = getelementptr inbounds %struct.Compiled, ptr %0, i64 0, i32 2
  %4 = load ptr, ptr %3, align 8
  store ptr null, ptr %3, align 8
  %5 = icmp eq ptr %4, null
  br i1 %5, label %7, label %6

6:                                                ; preds = %1
  tail call void @Py_DecRef(ptr noundef nonnull %4) #16
  br label %7

7:                                                ; preds = %1, %6
  %8 = getelementptr inbounds %struct.Compiled, ptr %0, i64 0, i32 4
  %9 = load ptr, ptr %8, align 8
  store ptr null, ptr %8, align 8
  %10 = icmp eq ptr %9, null
  br i1 %10, label %12, label %11

11:                                               ; preds = %7
  tail call void @Py_DecRef(ptr noundef nonnull %9) #16
  br label %12

12:                                               ; preds = %7, %11
  %13 = getelementptr inbounds %struct.Compiled, ptr %0, i64 0, i32 5
  %14 = load ptr, ptr %13, align 8
  store ptr null, ptr %13, align 8
  %15 = icmp eq ptr %14, null
  br i1 %15, label %17, label %16

16:                                               ; preds = %12
  tail call void @Py_DecRef(ptr noundef nonnull %14) #16
  br label %17

17:                                               ; preds = %12, %16
  %18 = getelementptr inbounds %struct.Compiled, ptr %0, i64 0, i32 7
  %19 = load ptr, ptr %18, align 8
  %20 = icmp eq ptr %19, null
  br i1 %20, label %21, label %22

21:                                               ; preds = %28, %17
  ret i32 0

22:                                               ; preds = %17, %28
  %23 = phi ptr [ %30, %28 ], [ %19, %17 ]
  %24 = getelementptr inbounds %struct.Specialization, ptr %23, i64 0, i32 2
  %25 = load ptr, ptr %24, align 8
  store ptr null, ptr %24, align 8
  %26 = icmp eq ptr %25, null
  br i1 %26, label %28, label %27

27:                                               ; preds = %22
  tail call void @Py_DecRef(ptr noundef nonnull %25) #16
  br label %28

28:                                               ; preds = %22, %27
  %29 = getelementptr inbounds %struct.Specialization, ptr %23, i64 0, i32 1
  %30 = load ptr, ptr %29, align 8
  %31 = icmp eq ptr %30, null
  br i1 %31, label %21, label %22, !llvm.loop !12
}

; Function Attrs: nounwind
define internal ptr @compiled_new(ptr noundef %0, ptr noundef %1, ptr noundef %2) #0 {
  %4 = tail call i64 @PyTuple_Size(ptr noundef %1) #16
  %5 = add i64 %4, -3
  %6 = icmp ult i64 %5, -2
  br i1 %6, label %12, label %7

7:                                                ; preds = %3
  %8 = icmp eq ptr %2, null
  br i1 %8, label %15, label %9

9:                                                ; preds = %7
  %10 = tail call i64 @PyDict_Size(ptr noundef nonnull %2) #16
  %11 = icmp eq i64 %10, 0
  br i1 %11, label %15, label %12

12:                                               ; preds = %9, %3
  %13 = load ptr, ptr @PyExc_TypeError, align 8
  %14 = tail call ptr (ptr, ptr, ...) @PyErr_Format(ptr noundef %13, ptr noundef nonnull @.str.5) #16
  br label %29

15:                                               ; preds = %9, %7
  %16 = tail call ptr @PyType_GenericAlloc(ptr noundef %0, i64 noundef 0) #16
  %17 = icmp eq ptr %16, null
  br i1 %17, label %29, label %18

18:                                               ; preds = %15
  %19 = getelementptr inbounds %struct.Compiled, ptr %16, i64 0, i32 1
  store ptr @compiled_call, ptr %19, align 8
  %20 = tail call ptr @PyTuple_GetItem(ptr noundef %1, i64 noundef 0) #16
  %21 = getelementptr inbounds %struct.Compiled, ptr %16, i64 0, i32 4
  store ptr %20, ptr %21, align 8
  tail call void @Py_IncRef(ptr noundef %20) #16
  %22 = icmp eq i64 %4, 2
  br i1 %22, label %23, label %29

23:                                               ; preds = %18
  %24 = tail call ptr @PyTuple_GetItem(ptr noundef %1, i64 noundef 1) #16
  %25 = icmp eq ptr %24, @_Py_NoneStruct
  br i1 %25, label %29, label %26

26:                                               ; preds = %23
  %27 = tail call ptr @PyTuple_GetItem(ptr noundef %1, i64 noundef 1) #16
  %28 = getelementptr inbounds %struct.Compiled, ptr %16, i64 0, i32 5
  store ptr %27, ptr %28, align 8
  tail call void @Py_IncRef(ptr noundef %27) #16
  br label %29

29:                                               ; preds = %15, %26, %23, %18, %12
  %30 = phi ptr [ %14, %12 ], [ null, %15 ], [ %16, %26 ], [ %16, %23 ], [ %16, %18 ]
  ret ptr %30
}

declare ptr @PyType_FromSpec(ptr noundef) local_unnamed_addr #3

; Function Attrs: mustprogress nofree norecurse nosync nounwind willreturn memory(none)
define i64 @gc_empty_entry(ptr nocapture noundef readnone %0, ptr nocapture noundef readnone %1, ptr nocapture noundef readnone %2, ptr nocapture noundef readnone %3) local_unnamed_addr #6 {
  ret i64 0
}

; Function Attrs: mustprogress nofree nosync nounwind willreturn memory(readwrite, inaccessiblemem: none)
define i64 @gc_setup(ptr nocapture noundef readonly %0) local_unnamed_addr #7 {
  %2 = load i64, ptr %0, align 8
  %3 = icmp eq i64 %2, 152
  br i1 %3, label %4, label %5

4:                                                ; preds = %1
  tail call void @llvm.memcpy.p0.p0.i64(ptr noundef nonnull align 8 dereferenceable(152) @gc_config, ptr noundef nonnull align 8 dereferenceable(152) %0, i64 152, i1 false)
  br label %5

5:                                                ; preds = %1, %4
  %6 = phi i64 [ 0, %4 ], [ 152, %1 ]
  ret i64 %6
}

; Function Attrs: mustprogress nocallback nofree nounwind willreturn memory(argmem: readwrite)
declare void @llvm.memcpy.p0.p0.i64(ptr noalias nocapture writeonly, ptr noalias nocapture readonly, i64, i1 immarg) #8

; Function Attrs: nounwind
define i64 @gc_add(ptr nocapture noundef %0, ptr noundef %1, i64 noundef %2, ptr noundef %3) local_unnamed_addr #0 {
  %5 = add i64 %2, 64
  %6 = tail call ptr @malloc(i64 noundef %5) #16
  %7 = icmp eq ptr %6, null
  br i1 %7, label %49, label %8

8:                                                ; preds = %4
  %9 = getelementptr inbounds %struct.Specialization, ptr %6, i64 0, i32 8
  %10 = tail call ptr @memcpy(ptr noundef nonnull %9, ptr noundef %1, i64 noundef %2) #16
  %11 = getelementptr inbounds %struct.Specialization, ptr %6, i64 1
  %12 = getelementptr inbounds %struct.Specialization, ptr %6, i64 0, i32 5
  store ptr %11, ptr %12, align 8
  %13 = load i64, ptr %9, align 8
  %14 = getelementptr inbounds %struct.Argument, ptr %11, i64 %13
  %15 = getelementptr inbounds %struct.Specialization, ptr %6, i64 0, i32 6
  store ptr %14, ptr %15, align 8
  %16 = getelementptr inbounds %struct.Specialization, ptr %6, i64 0, i32 8, i32 1
  %17 = load i64, ptr %16, align 8
  %18 = getelementptr inbounds %struct.Output, ptr %14, i64 %17
  %19 = getelementptr inbounds %struct.Specialization, ptr %6, i64 0, i32 7
  store ptr %18, ptr %19, align 8
  %20 = getelementptr inbounds %struct.Specialization, ptr %6, i64 0, i32 3
  store i64 0, ptr %20, align 8
  %21 = getelementptr inbounds %struct.Specialization, ptr %6, i64 0, i32 8, i32 2
  %22 = load i64, ptr %21, align 8
  %23 = getelementptr inbounds %struct.Specialization, ptr %6, i64 0, i32 8, i32 3
  %24 = load i64, ptr %23, align 8
  %25 = add i64 %17, %13
  %26 = shl i64 %25, 1
  %27 = add i64 %22, %13
  %28 = add i64 %27, %24
  %29 = add i64 %28, %26
  %30 = shl nsw i64 %29, 3
  %31 = add nsw i64 %30, 64
  %32 = getelementptr inbounds %struct.Specialization, ptr %6, i64 0, i32 4
  store i64 %31, ptr %32, align 8
  %33 = getelementptr inbounds %struct.Specialization, ptr %6, i64 0, i32 2
  store ptr %3, ptr %33, align 8
  tail call void @Py_IncRef(ptr noundef %3) #16
  %34 = load i64, ptr %32, align 8
  %35 = getelementptr inbounds %struct.Compiled, ptr %0, i64 0, i32 8
  %36 = load i64, ptr %35, align 8
  %37 = icmp sgt i64 %34, %36
  br i1 %37, label %38, label %39

38:                                               ; preds = %8
  store i64 %34, ptr %35, align 8
  br label %39

39:                                               ; preds = %38, %8
  %40 = getelementptr inbounds %struct.Compiled, ptr %0, i64 0, i32 7
  %41 = load ptr, ptr %40, align 8
  %42 = getelementptr inbounds %struct.Specialization, ptr %6, i64 0, i32 1
  store ptr %41, ptr %42, align 8
  store ptr %6, ptr %40, align 8
  %43 = getelementptr inbounds %struct.Compiled, ptr %0, i64 0, i32 6
  %44 = load ptr, ptr %43, align 8
  store ptr %44, ptr %6, align 8
  %45 = ptrtoint ptr %6 to i64
  store atomic i64 %45, ptr %43 release, align 8
  %46 = getelementptr inbounds %struct.Compiled, ptr %0, i64 0, i32 10
  %47 = load i64, ptr %46, align 8
  %48 = add nsw i64 %47, 1
  store i64 %48, ptr %46, align 8
  br label %49

49:                                               ; preds = %4, %39
  %50 = phi i64 [ 0, %39 ], [ -1, %4 ]
  ret i64 %50
}

declare ptr @malloc(i64 noundef) local_unnamed_addr #3

declare ptr @memcpy(ptr noundef, ptr noundef, i64 noundef) local_unnamed_addr #3

declare void @Py_IncRef(ptr noundef) local_unnamed_addr #3

; Function Attrs: mustprogress nofree norecurse nounwind willreturn memory(argmem: readwrite)
define void @gc_clear(ptr nocapture noundef writeonly %0) local_unnamed_addr #9 {
  %2 = getelementptr inbounds %struct.Compiled, ptr %0, i64 0, i32 6
  store atomic i64 0, ptr %2 release, align 8
  %3 = getelementptr inbounds %struct.Compiled, ptr %0, i64 0, i32 10
  store i64 0, ptr %3, align 8
  ret void
}

; Function Attrs: nofree norecurse nosync nounwind memory(read, argmem: readwrite, inaccessiblemem: none)
define void @gc_statistics(ptr nocapture noundef readonly %0, ptr nocapture noundef %1) local_unnamed_addr #10 {
  %3 = getelementptr inbounds %struct.Compiled, ptr %0, i64 0, i32 10
  %4 = load i64, ptr %3, align 8
  store i64 %4, ptr %1, align 8
  %5 = getelementptr inbounds i64, ptr %1, i64 1
  store i64 0, ptr %5, align 8
  %6 = getelementptr inbounds %struct.Compiled, ptr %0, i64 0, i32 9
  %7 = load i64, ptr %6, align 8
  %8 = getelementptr inbounds i64, ptr %1, i64 2
  store i64 %7, ptr %8, align 8
  %9 = getelementptr inbounds %struct.Compiled, ptr %0, i64 0, i32 7
  %10 = load ptr, ptr %9, align 8
  %11 = icmp eq ptr %10, null
  br i1 %11, label %12, label %13

12:                                               ; preds = %13, %2
  ret void

13:                                               ; preds = %2, %13
  %14 = phi i64 [ %18, %13 ], [ 0, %2 ]
  %15 = phi ptr [ %20, %13 ], [ %10, %2 ]
  %16 = getelementptr inbounds %struct.Specialization, ptr %15, i64 0, i32 3
  %17 = load i64, ptr %16, align 8
  %18 = add nsw i64 %14, %17
  store i64 %18, ptr %5, align 8
  %19 = getelementptr inbounds %struct.Specialization, ptr %15, i64 0, i32 1
  %20 = load ptr, ptr %19, align 8
  %21 = icmp eq ptr %20, null
  br i1 %21, label %12, label %13, !llvm.loop !15
}

; Function Attrs: mustprogress nofree norecurse nounwind willreturn memory(readwrite, argmem: write, inaccessiblemem: none)
define void @gc_runtime_now(ptr nocapture noundef writeonly %0) local_unnamed_addr #11 {
  %2 = load atomic i32, ptr @gc_workers acquire, align 4
  %3 = sext i32 %2 to i64
  store ptr @runtime_parallel_for, ptr %0, align 8
  %4 = getelementptr inbounds i8, ptr %0, i64 8
  store i64 %3, ptr %4, align 8
  %5 = getelementptr inbounds i8, ptr %0, i64 16
  store i64 1, ptr %5, align 8
  ret void
}

; Function Attrs: nounwind
define internal void @runtime_parallel_for(ptr nocapture noundef readonly %0, ptr noundef %1, ptr noundef %2, i64 noundef %3, i64 noundef %4) #0 {
  %6 = getelementptr inbounds %struct.GcRuntime, ptr %0, i64 0, i32 1
  %7 = load i64, ptr %6, align 8
  tail call void @gc_parallel_for(ptr noundef %1, ptr noundef %2, i64 noundef %3, i64 noundef %4, i64 noundef %7) #17
  ret void
}

declare i32 @sched_yield() local_unnamed_addr #3

; Function Attrs: mustprogress nocallback nofree nosync nounwind speculatable willreturn memory(none)
declare i64 @llvm.ctlz.i64(i64, i1 immarg) #12

declare ptr @mmap(ptr noundef, i64 noundef, i32 noundef, i32 noundef, i32 noundef, i64 noundef) local_unnamed_addr #3

declare i32 @munmap(ptr noundef, i64 noundef) local_unnamed_addr #3

declare i32 @madvise(ptr noundef, i64 noundef, i32 noundef) local_unnamed_addr #3

; Function Attrs: mustprogress nocallback nofree nosync nounwind speculatable willreturn memory(none)
declare { i64, i1 } @llvm.smul.with.overflow.i64(i64, i64) #12

declare i32 @pthread_sigmask(i32 noundef, ptr noundef, ptr noundef) local_unnamed_addr #3

declare i32 @pthread_create(ptr noundef, ptr noundef, ptr noundef, ptr noundef) local_unnamed_addr #3

; Function Attrs: noreturn nounwind
define internal ptr @worker_main(ptr noundef %0) #13 {
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
  call void @llvm.lifetime.start.p0(i64 16, ptr nonnull %2) #18
  %26 = call i32 @clock_gettime(i32 noundef 1, ptr noundef nonnull %2) #16
  %27 = load i64, ptr %2, align 16
  %28 = mul nsw i64 %27, 1000000000
  %29 = load i64, ptr %5, align 8
  %30 = add nsw i64 %28, %29
  call void @llvm.lifetime.end.p0(i64 16, ptr nonnull %2) #18
  %31 = icmp eq i64 %25, 0
  %32 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 2), align 8
  %33 = mul nsw i64 %32, %18
  %34 = add nsw i64 %33, %30
  %35 = select i1 %31, i64 %34, i64 %25
  %36 = icmp slt i64 %30, %35
  br i1 %36, label %47, label %37, !llvm.loop !16

37:                                               ; preds = %24
  store atomic i32 1, ptr %6 seq_cst, align 4
  %38 = load atomic i32, ptr %4 seq_cst, align 64
  %39 = icmp eq i32 %38, %19
  br i1 %39, label %40, label %43

40:                                               ; preds = %37
  %41 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 1), align 8
  %42 = call i64 (i64, ...) @syscall(i64 noundef %41, ptr noundef nonnull %4, i64 noundef 128, i64 noundef %23, ptr noundef null, ptr noundef null, i64 noundef 0) #16
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
  %69 = call i64 (i64, ...) @syscall(i64 noundef %68, ptr noundef nonnull %67, i64 noundef 129, i64 noundef 1, ptr noundef null, ptr noundef null, i64 noundef 0) #16
  br label %70

70:                                               ; preds = %66, %61
  %71 = add nsw i64 %62, 1
  %72 = icmp slt i64 %71, %11
  %73 = icmp slt i64 %71, %58
  %74 = and i1 %72, %73
  br i1 %74, label %61, label %75, !llvm.loop !8

75:                                               ; preds = %70, %57
  %76 = load ptr, ptr %13, align 16
  %77 = load ptr, ptr %14, align 8
  %78 = load i64, ptr %15, align 32
  %79 = load i64, ptr %16, align 8
  call void %76(ptr noundef %77, i64 noundef %78, i64 noundef %79, i64 noundef %3) #16
  %80 = atomicrmw sub ptr getelementptr inbounds (%struct.anon.1, ptr @pool, i64 0, i32 2), i32 1 seq_cst, align 4
  %81 = icmp eq i32 %80, 1
  br i1 %81, label %83, label %82

82:                                               ; preds = %75, %83, %86, %51
  br label %17

83:                                               ; preds = %75
  %84 = load atomic i32, ptr getelementptr inbounds (%struct.anon.1, ptr @pool, i64 0, i32 3) seq_cst, align 4
  %85 = icmp eq i32 %84, 0
  br i1 %85, label %82, label %86

86:                                               ; preds = %83
  %87 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 1), align 8
  %88 = call i64 (i64, ...) @syscall(i64 noundef %87, ptr noundef nonnull getelementptr inbounds (%struct.anon.1, ptr @pool, i64 0, i32 2), i64 noundef 129, i64 noundef 1, ptr noundef null, ptr noundef null, i64 noundef 0) #16
  br label %82
}

declare i32 @pthread_detach(i64 noundef) local_unnamed_addr #3

declare i32 @clock_gettime(i32 noundef, ptr noundef) local_unnamed_addr #3

declare i64 @syscall(i64 noundef, ...) local_unnamed_addr #3

declare void @PyObject_GC_UnTrack(ptr noundef) local_unnamed_addr #3

declare void @PyObject_ClearWeakRefs(ptr noundef) local_unnamed_addr #3

declare void @free(ptr noundef) local_unnamed_addr #3

declare void @PyObject_GC_Del(ptr noundef) local_unnamed_addr #3

declare void @Py_DecRef(ptr noundef) local_unnamed_addr #3

declare ptr @PyMethod_New(ptr noundef, ptr noundef) local_unnamed_addr #3

declare i64 @PyTuple_Size(ptr noundef) local_unnamed_addr #3

declare i64 @PyDict_Size(ptr noundef) local_unnamed_addr #3

declare ptr @PyErr_Format(ptr noundef, ptr noundef, ...) local_unnamed_addr #3

declare ptr @PyType_GenericAlloc(ptr noundef, i64 noundef) local_unnamed_addr #3

; Function Attrs: nounwind
define internal ptr @compiled_call(ptr nocapture noundef %0, ptr noundef %1, i64 noundef %2, ptr noundef %3) #0 {
  %5 = alloca i32, align 4
  %6 = and i64 %2, 9223372036854775807
  %7 = getelementptr inbounds %struct.Compiled, ptr %0, i64 0, i32 8
  %8 = load i64, ptr %7, align 8
  call void @llvm.lifetime.start.p0(i64 4, ptr nonnull %5) #18
  store i32 0, ptr %5, align 4
  %9 = icmp eq ptr %3, null
  br i1 %9, label %13, label %10

10:                                               ; preds = %4
  %11 = tail call i64 @PyTuple_Size(ptr noundef nonnull %3) #16
  %12 = icmp eq i64 %11, 0
  br i1 %12, label %13, label %33, !prof !17

13:                                               ; preds = %10, %4
  %14 = getelementptr inbounds %struct.Compiled, ptr %0, i64 0, i32 6
  %15 = load ptr, ptr %14, align 8
  %16 = icmp eq ptr %15, null
  br i1 %16, label %33, label %17, !prof !7

17:                                               ; preds = %13
  %18 = icmp slt i64 %8, 8193
  br i1 %18, label %19, label %22, !prof !17

19:                                               ; preds = %17
  %20 = alloca i8, i64 %8, align 16
  %21 = call fastcc ptr @dispatch(ptr noundef nonnull %0, ptr noundef %1, i64 noundef %6, ptr noundef nonnull %20, ptr noundef nonnull %5) #17
  br label %29

22:                                               ; preds = %17
  %23 = tail call ptr @malloc(i64 noundef %8) #16
  %24 = icmp eq ptr %23, null
  br i1 %24, label %25, label %27

25:                                               ; preds = %22
  %26 = tail call ptr @PyErr_NoMemory() #16
  br label %45

27:                                               ; preds = %22
  %28 = call fastcc ptr @dispatch(ptr noundef nonnull %0, ptr noundef %1, i64 noundef %6, ptr noundef nonnull %23, ptr noundef nonnull %5) #17
  tail call void @free(ptr noundef nonnull %23) #16
  br label %29

29:                                               ; preds = %19, %27
  %30 = phi ptr [ %21, %19 ], [ %28, %27 ]
  %31 = load i32, ptr %5, align 4
  %32 = icmp eq i32 %31, 0
  br i1 %32, label %33, label %45

33:                                               ; preds = %10, %29, %13
  %34 = getelementptr inbounds %struct.Compiled, ptr %0, i64 0, i32 9
  %35 = load i64, ptr %34, align 8
  %36 = add nsw i64 %35, 1
  store i64 %36, ptr %34, align 8
  %37 = getelementptr inbounds %struct.Compiled, ptr %0, i64 0, i32 4
  %38 = load ptr, ptr %37, align 8
  %39 = icmp eq ptr %38, null
  br i1 %39, label %40, label %43

40:                                               ; preds = %33
  %41 = load ptr, ptr @PyExc_RuntimeError, align 8
  %42 = call ptr (ptr, ptr, ...) @PyErr_Format(ptr noundef %41, ptr noundef nonnull @.str.6) #16
  br label %45

43:                                               ; preds = %33
  call void @Py_IncRef(ptr noundef nonnull %38) #16
  %44 = call ptr @PyObject_Vectorcall(ptr noundef nonnull %38, ptr noundef %1, i64 noundef %2, ptr noundef %3) #16
  call void @Py_DecRef(ptr noundef nonnull %38) #16
  br label %45

45:                                               ; preds = %25, %29, %43, %40
  %46 = phi ptr [ %44, %43 ], [ %42, %40 ], [ %30, %29 ], [ %26, %25 ]
  call void @llvm.lifetime.end.p0(i64 4, ptr nonnull %5) #18
  ret ptr %46
}

declare ptr @PyTuple_GetItem(ptr noundef, i64 noundef) local_unnamed_addr #3

; Function Attrs: nounwind
define internal fastcc ptr @dispatch(ptr nocapture noundef %0, ptr nocapture noundef readonly %1, i64 noundef %2, ptr noundef %3, ptr nocapture noundef writeonly %4) unnamed_addr #0 {
  %6 = alloca [4096 x i8], align 64
  %7 = alloca %struct.GcRuntime, align 8
  %8 = alloca i32, align 4
  %9 = alloca %struct.Frame, align 8
  call void @llvm.lifetime.start.p0(i64 48, ptr nonnull %9) #18
  %10 = getelementptr inbounds %struct.Compiled, ptr %0, i64 0, i32 6
  %11 = load atomic i64, ptr %10 acquire, align 8
  %12 = icmp eq i64 %11, 0
  br i1 %12, label %799, label %13

13:                                               ; preds = %5
  %14 = getelementptr inbounds %struct.Frame, ptr %9, i64 0, i32 4
  %15 = getelementptr inbounds %struct.Frame, ptr %9, i64 0, i32 1
  %16 = getelementptr inbounds %struct.Frame, ptr %9, i64 0, i32 2
  %17 = getelementptr inbounds %struct.Frame, ptr %9, i64 0, i32 3
  %18 = getelementptr inbounds %struct.Frame, ptr %9, i64 0, i32 5
  %19 = icmp sgt i64 %2, 0
  %20 = getelementptr inbounds %struct.GcRuntime, ptr %7, i64 0, i32 1
  %21 = getelementptr inbounds %struct.GcRuntime, ptr %7, i64 0, i32 2
  br label %22

22:                                               ; preds = %13, %794
  %23 = phi ptr [ null, %13 ], [ %25, %794 ]
  %24 = phi i64 [ %11, %13 ], [ %795, %794 ]
  %25 = inttoptr i64 %24 to ptr
  %26 = getelementptr inbounds %struct.Specialization, ptr %25, i64 0, i32 8
  store ptr %3, ptr %14, align 8
  %27 = load i64, ptr %26, align 8
  %28 = shl nsw i64 %27, 4
  %29 = getelementptr inbounds i8, ptr %3, i64 %28
  store ptr %29, ptr %9, align 8
  %30 = getelementptr inbounds ptr, ptr %29, i64 %27
  %31 = getelementptr inbounds %struct.Specialization, ptr %25, i64 0, i32 8, i32 1
  %32 = load i64, ptr %31, align 8
  %33 = getelementptr inbounds ptr, ptr %30, i64 %32
  store ptr %33, ptr %15, align 8
  %34 = getelementptr inbounds %struct.Specialization, ptr %25, i64 0, i32 8, i32 2
  %35 = load i64, ptr %34, align 8
  %36 = getelementptr inbounds i64, ptr %33, i64 %35
  store ptr %36, ptr %16, align 8
  %37 = getelementptr inbounds %struct.Specialization, ptr %25, i64 0, i32 8, i32 3
  %38 = load i64, ptr %37, align 8
  %39 = getelementptr inbounds i64, ptr %36, i64 %38
  store ptr %39, ptr %17, align 8
  store i64 0, ptr %18, align 8
  %40 = icmp eq i64 %27, %2
  br i1 %40, label %41, label %794

41:                                               ; preds = %22
  br i1 %19, label %42, label %241

42:                                               ; preds = %41
  %43 = getelementptr inbounds %struct.Specialization, ptr %25, i64 0, i32 5
  %44 = getelementptr inbounds %struct.Specialization, ptr %25, i64 0, i32 7
  br label %45

45:                                               ; preds = %236, %42
  %46 = phi i64 [ 0, %42 ], [ %237, %236 ]
  %47 = phi i64 [ 0, %42 ], [ %238, %236 ]
  %48 = load ptr, ptr %43, align 8
  %49 = getelementptr inbounds %struct.Argument, ptr %48, i64 %47
  %50 = getelementptr inbounds ptr, ptr %1, i64 %47
  %51 = load ptr, ptr %50, align 8
  %52 = load i8, ptr %49, align 8
  %53 = icmp eq i8 %52, 0
  br i1 %53, label %54, label %198, !prof !17

54:                                               ; preds = %45
  %55 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 9), align 8
  %56 = getelementptr inbounds i8, ptr %51, i64 %55
  %57 = load ptr, ptr %56, align 8
  %58 = load ptr, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 4), align 8
  %59 = icmp eq ptr %57, %58
  br i1 %59, label %60, label %793

60:                                               ; preds = %54
  %61 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 11), align 8
  %62 = getelementptr inbounds i8, ptr %51, i64 %61
  %63 = load i32, ptr %62, align 4
  %64 = getelementptr inbounds %struct.Argument, ptr %48, i64 %47, i32 2
  %65 = load i8, ptr %64, align 2
  %66 = zext i8 %65 to i32
  %67 = icmp eq i32 %63, %66
  br i1 %67, label %68, label %793

68:                                               ; preds = %60
  %69 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 14), align 8
  %70 = getelementptr inbounds i8, ptr %51, i64 %69
  %71 = load ptr, ptr %70, align 8
  %72 = getelementptr inbounds %struct.Argument, ptr %48, i64 %47, i32 5
  %73 = load ptr, ptr %72, align 8
  %74 = icmp eq ptr %73, %71
  br i1 %74, label %93, label %75, !prof !17

75:                                               ; preds = %68
  %76 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 17), align 8
  %77 = getelementptr inbounds i8, ptr %71, i64 %76
  %78 = load i8, ptr %77, align 1
  %79 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 16), align 8
  %80 = getelementptr inbounds i8, ptr %71, i64 %79
  %81 = load i32, ptr %80, align 4
  %82 = getelementptr inbounds %struct.Argument, ptr %48, i64 %47, i32 4
  %83 = load i32, ptr %82, align 4
  %84 = icmp sgt i32 %83, -1
  br i1 %84, label %85, label %793

85:                                               ; preds = %75
  %86 = icmp eq i32 %81, %83
  br i1 %86, label %92, label %87

87:                                               ; preds = %85
  %88 = getelementptr inbounds %struct.Argument, ptr %48, i64 %47, i32 3
  %89 = load i8, ptr %88, align 1
  %90 = zext i8 %89 to i32
  %91 = icmp eq i32 %81, %90
  br i1 %91, label %92, label %793

92:                                               ; preds = %87, %85
  switch i8 %78, label %793 [
    i8 124, label %93
    i8 61, label %93
  ]

93:                                               ; preds = %92, %92, %68
  %94 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 15), align 8
  %95 = getelementptr inbounds i8, ptr %51, i64 %94
  %96 = load i32, ptr %95, align 4
  %97 = getelementptr inbounds %struct.Argument, ptr %48, i64 %47, i32 1
  %98 = load i8, ptr %97, align 1
  %99 = zext i8 %98 to i32
  %100 = and i32 %99, 1
  %101 = shl nuw nsw i32 %99, 9
  %102 = and i32 %101, 1024
  %103 = or i32 %102, %100
  %104 = xor i32 %103, 257
  %105 = and i32 %104, %96
  %106 = icmp eq i32 %105, %104
  br i1 %106, label %107, label %793

107:                                              ; preds = %93
  %108 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 12), align 8
  %109 = getelementptr inbounds i8, ptr %51, i64 %108
  %110 = load ptr, ptr %109, align 8
  %111 = load ptr, ptr %44, align 8
  %112 = getelementptr inbounds %struct.Argument, ptr %48, i64 %47, i32 6
  %113 = load i32, ptr %112, align 8
  %114 = sext i32 %113 to i64
  %115 = getelementptr inbounds i64, ptr %111, i64 %114
  %116 = getelementptr inbounds %struct.Argument, ptr %48, i64 %47, i32 8
  %117 = load i64, ptr %116, align 8
  %118 = icmp eq i8 %65, 0
  br i1 %118, label %149, label %119

119:                                              ; preds = %107, %141
  %120 = phi i8 [ %142, %141 ], [ %65, %107 ]
  %121 = phi i64 [ %143, %141 ], [ %117, %107 ]
  %122 = phi i64 [ %144, %141 ], [ 0, %107 ]
  %123 = getelementptr inbounds i64, ptr %110, i64 %122
  %124 = load i64, ptr %123, align 8
  %125 = getelementptr inbounds i64, ptr %115, i64 %122
  %126 = load i64, ptr %125, align 8
  %127 = icmp sgt i64 %126, -1
  br i1 %127, label %128, label %130

128:                                              ; preds = %119
  %129 = icmp eq i64 %124, %126
  br i1 %129, label %141, label %792

130:                                              ; preds = %119
  %131 = xor i64 %126, -1
  %132 = and i64 %131, 1
  %133 = icmp eq i64 %132, 0
  %134 = lshr i64 %131, 1
  %135 = getelementptr inbounds i64, ptr %33, i64 %134
  br i1 %133, label %136, label %138

136:                                              ; preds = %130
  store i64 %124, ptr %135, align 8
  %137 = load i8, ptr %64, align 2
  br label %141

138:                                              ; preds = %130
  %139 = load i64, ptr %135, align 8
  %140 = icmp eq i64 %139, %124
  br i1 %140, label %141, label %792

141:                                              ; preds = %138, %136, %128
  %142 = phi i8 [ %137, %136 ], [ %120, %138 ], [ %120, %128 ]
  %143 = mul nsw i64 %124, %121
  %144 = add nuw nsw i64 %122, 1
  %145 = zext i8 %142 to i64
  %146 = icmp ult i64 %144, %145
  br i1 %146, label %119, label %147, !llvm.loop !18

147:                                              ; preds = %141
  %148 = load i8, ptr %97, align 1
  br label %149

149:                                              ; preds = %147, %107
  %150 = phi i8 [ 0, %107 ], [ %142, %147 ]
  %151 = phi i8 [ %98, %107 ], [ %148, %147 ]
  %152 = phi i64 [ %117, %107 ], [ %143, %147 ]
  %153 = and i8 %151, 1
  %154 = icmp eq i8 %153, 0
  br i1 %154, label %192, label %155

155:                                              ; preds = %149
  %156 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 13), align 8
  %157 = getelementptr inbounds i8, ptr %51, i64 %156
  %158 = load ptr, ptr %157, align 8
  %159 = getelementptr inbounds %struct.Argument, ptr %48, i64 %47, i32 7
  %160 = load i32, ptr %159, align 4
  %161 = sext i32 %160 to i64
  %162 = getelementptr inbounds i64, ptr %33, i64 %161
  %163 = load i64, ptr %116, align 8
  %164 = icmp eq i8 %150, 0
  br i1 %164, label %192, label %165

165:                                              ; preds = %155
  %166 = call i64 @llvm.ctpop.i64(i64 %163), !range !19
  %167 = icmp ult i64 %166, 2
  %168 = call i64 @llvm.cttz.i64(i64 %163, i1 true), !range !19
  br label %169

169:                                              ; preds = %185, %165
  %170 = phi i64 [ 0, %165 ], [ %188, %185 ]
  %171 = getelementptr inbounds i64, ptr %110, i64 %170
  %172 = load i64, ptr %171, align 8
  %173 = icmp slt i64 %172, 2
  br i1 %173, label %185, label %174

174:                                              ; preds = %169
  %175 = getelementptr inbounds i64, ptr %158, i64 %170
  %176 = load i64, ptr %175, align 8
  br i1 %167, label %179, label %177

177:                                              ; preds = %174
  %178 = sdiv i64 %176, %163
  br label %181

179:                                              ; preds = %174
  %180 = ashr i64 %176, %168
  br label %181

181:                                              ; preds = %179, %177
  %182 = phi i64 [ %178, %177 ], [ %180, %179 ]
  %183 = mul nsw i64 %182, %163
  %184 = icmp eq i64 %183, %176
  br i1 %184, label %185, label %791

185:                                              ; preds = %181, %169
  %186 = phi i64 [ 0, %169 ], [ %182, %181 ]
  %187 = getelementptr inbounds i64, ptr %162, i64 %170
  store i64 %186, ptr %187, align 8
  %188 = add nuw nsw i64 %170, 1
  %189 = load i8, ptr %64, align 2
  %190 = zext i8 %189 to i64
  %191 = icmp ult i64 %188, %190
  br i1 %191, label %169, label %192, !llvm.loop !20

192:                                              ; preds = %185, %155, %149
  %193 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 10), align 8
  %194 = getelementptr inbounds i8, ptr %51, i64 %193
  %195 = load ptr, ptr %194, align 8
  %196 = getelementptr inbounds ptr, ptr %29, i64 %47
  store ptr %195, ptr %196, align 8
  %197 = add nsw i64 %46, %152
  br label %236

198:                                              ; preds = %45
  %199 = shl nsw i64 %47, 4
  %200 = getelementptr inbounds i8, ptr %3, i64 %199
  %201 = getelementptr inbounds ptr, ptr %29, i64 %47
  store ptr %200, ptr %201, align 8
  %202 = load i8, ptr %49, align 8
  switch i8 %202, label %226 [
    i8 1, label %203
    i8 2, label %210
    i8 3, label %219
  ]

203:                                              ; preds = %198
  %204 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 9), align 8
  %205 = getelementptr inbounds i8, ptr %51, i64 %204
  %206 = load ptr, ptr %205, align 8
  %207 = icmp eq ptr %206, @PyFloat_Type
  br i1 %207, label %208, label %793

208:                                              ; preds = %203
  %209 = call double @PyFloat_AsDouble(ptr noundef nonnull %51) #16
  store double %209, ptr %200, align 8
  br label %236

210:                                              ; preds = %198
  call void @llvm.lifetime.start.p0(i64 4, ptr nonnull %8) #18
  store i32 0, ptr %8, align 4
  %211 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 9), align 8
  %212 = getelementptr inbounds i8, ptr %51, i64 %211
  %213 = load ptr, ptr %212, align 8
  %214 = icmp eq ptr %213, @PyLong_Type
  br i1 %214, label %215, label %235

215:                                              ; preds = %210
  %216 = call i64 @PyLong_AsLongLongAndOverflow(ptr noundef nonnull %51, ptr noundef nonnull %8) #16
  store i64 %216, ptr %200, align 8
  %217 = load i32, ptr %8, align 4
  %218 = icmp eq i32 %217, 0
  call void @llvm.lifetime.end.p0(i64 4, ptr nonnull %8) #18
  br i1 %218, label %236, label %793

219:                                              ; preds = %198
  %220 = icmp ne ptr %51, @_Py_TrueStruct
  %221 = icmp ne ptr %51, @_Py_FalseStruct
  %222 = and i1 %220, %221
  br i1 %222, label %793, label %223

223:                                              ; preds = %219
  %224 = icmp eq ptr %51, @_Py_TrueStruct
  %225 = zext i1 %224 to i64
  store i64 %225, ptr %200, align 8
  br label %236

226:                                              ; preds = %198
  %227 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 9), align 8
  %228 = getelementptr inbounds i8, ptr %51, i64 %227
  %229 = load ptr, ptr %228, align 8
  %230 = icmp eq ptr %229, @PyComplex_Type
  br i1 %230, label %231, label %793

231:                                              ; preds = %226
  %232 = call double @PyComplex_RealAsDouble(ptr noundef nonnull %51) #16
  store double %232, ptr %200, align 8
  %233 = call double @PyComplex_ImagAsDouble(ptr noundef nonnull %51) #16
  %234 = getelementptr inbounds double, ptr %200, i64 1
  store double %233, ptr %234, align 8
  br label %236

235:                                              ; preds = %210
  store i64 %46, ptr %18, align 8
  call void @llvm.lifetime.end.p0(i64 4, ptr nonnull %8) #18
  br label %794

236:                                              ; preds = %231, %223, %215, %208, %192
  %237 = phi i64 [ %46, %231 ], [ %46, %223 ], [ %46, %215 ], [ %46, %208 ], [ %197, %192 ]
  %238 = add nuw nsw i64 %47, 1
  %239 = icmp eq i64 %238, %2
  br i1 %239, label %240, label %45, !llvm.loop !21

240:                                              ; preds = %236
  store i64 %237, ptr %18, align 8
  br label %241

241:                                              ; preds = %240, %41
  %242 = getelementptr inbounds %struct.Specialization, ptr %25, i64 0, i32 8, i32 4
  %243 = load i64, ptr %242, align 8
  %244 = icmp eq i64 %243, 0
  br i1 %244, label %452, label %245

245:                                              ; preds = %241
  %246 = load i64, ptr %26, align 8
  %247 = icmp sgt i64 %246, 0
  br i1 %247, label %248, label %452

248:                                              ; preds = %245
  %249 = getelementptr inbounds %struct.Specialization, ptr %25, i64 0, i32 5
  %250 = load ptr, ptr %249, align 8
  %251 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 12), align 8
  %252 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 13), align 8
  %253 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 10), align 8
  br label %254

254:                                              ; preds = %446, %248
  %255 = phi i1 [ true, %248 ], [ %448, %446 ]
  %256 = phi i64 [ 0, %248 ], [ %447, %446 ]
  %257 = getelementptr inbounds %struct.Argument, ptr %250, i64 %256, i32 1
  %258 = load i8, ptr %257, align 1
  %259 = and i8 %258, 2
  %260 = icmp eq i8 %259, 0
  br i1 %260, label %446, label %261

261:                                              ; preds = %254
  %262 = getelementptr inbounds ptr, ptr %1, i64 %256
  %263 = load ptr, ptr %262, align 8
  %264 = getelementptr inbounds i8, ptr %263, i64 %251
  %265 = load ptr, ptr %264, align 8
  %266 = getelementptr inbounds i8, ptr %263, i64 %252
  %267 = load ptr, ptr %266, align 8
  %268 = getelementptr inbounds i8, ptr %263, i64 %253
  %269 = load ptr, ptr %268, align 8
  %270 = getelementptr inbounds %struct.Argument, ptr %250, i64 %256, i32 2
  %271 = load i8, ptr %270, align 2
  %272 = zext i8 %271 to i64
  %273 = icmp eq i8 %271, 0
  br i1 %273, label %274, label %281

274:                                              ; preds = %261
  %275 = getelementptr inbounds %struct.Argument, ptr %250, i64 %256, i32 8
  %276 = load i64, ptr %275, align 8
  %277 = getelementptr inbounds i8, ptr %269, i64 %276
  br label %344

278:                                              ; preds = %281
  %279 = add nuw nsw i64 %282, 1
  %280 = icmp eq i64 %279, %272
  br i1 %280, label %286, label %281, !llvm.loop !22

281:                                              ; preds = %261, %278
  %282 = phi i64 [ %279, %278 ], [ 0, %261 ]
  %283 = getelementptr inbounds i64, ptr %265, i64 %282
  %284 = load i64, ptr %283, align 8
  %285 = icmp eq i64 %284, 0
  br i1 %285, label %344, label %278

286:                                              ; preds = %278
  %287 = getelementptr inbounds %struct.Argument, ptr %250, i64 %256, i32 8
  %288 = load i64, ptr %287, align 8
  %289 = getelementptr inbounds i8, ptr %269, i64 %288
  %290 = and i64 %272, 1
  %291 = icmp eq i8 %271, 1
  br i1 %291, label %325, label %292

292:                                              ; preds = %286
  %293 = and i64 %272, 254
  br label %294

294:                                              ; preds = %294, %292
  %295 = phi ptr [ %269, %292 ], [ %320, %294 ]
  %296 = phi ptr [ %289, %292 ], [ %321, %294 ]
  %297 = phi i64 [ 0, %292 ], [ %322, %294 ]
  %298 = phi i64 [ 0, %292 ], [ %323, %294 ]
  %299 = getelementptr inbounds i64, ptr %265, i64 %297
  %300 = load i64, ptr %299, align 8
  %301 = add nsw i64 %300, -1
  %302 = getelementptr inbounds i64, ptr %267, i64 %297
  %303 = load i64, ptr %302, align 8
  %304 = mul nsw i64 %301, %303
  %305 = icmp slt i64 %304, 0
  %306 = select i1 %305, ptr %295, ptr %296
  %307 = getelementptr inbounds i8, ptr %306, i64 %304
  %308 = select i1 %305, ptr %307, ptr %295
  %309 = select i1 %305, ptr %296, ptr %307
  %310 = or i64 %297, 1
  %311 = getelementptr inbounds i64, ptr %265, i64 %310
  %312 = load i64, ptr %311, align 8
  %313 = add nsw i64 %312, -1
  %314 = getelementptr inbounds i64, ptr %267, i64 %310
  %315 = load i64, ptr %314, align 8
  %316 = mul nsw i64 %313, %315
  %317 = icmp slt i64 %316, 0
  %318 = select i1 %317, ptr %308, ptr %309
  %319 = getelementptr inbounds i8, ptr %318, i64 %316
  %320 = select i1 %317, ptr %319, ptr %308
  %321 = select i1 %317, ptr %309, ptr %319
  %322 = add nuw nsw i64 %297, 2
  %323 = add i64 %298, 2
  %324 = icmp eq i64 %323, %293
  br i1 %324, label %325, label %294, !llvm.loop !23

325:                                              ; preds = %294, %286
  %326 = phi ptr [ undef, %286 ], [ %320, %294 ]
  %327 = phi ptr [ undef, %286 ], [ %321, %294 ]
  %328 = phi ptr [ %269, %286 ], [ %320, %294 ]
  %329 = phi ptr [ %289, %286 ], [ %321, %294 ]
  %330 = phi i64 [ 0, %286 ], [ %322, %294 ]
  %331 = icmp eq i64 %290, 0
  br i1 %331, label %344, label %332

332:                                              ; preds = %325
  %333 = getelementptr inbounds i64, ptr %265, i64 %330
  %334 = load i64, ptr %333, align 8
  %335 = add nsw i64 %334, -1
  %336 = getelementptr inbounds i64, ptr %267, i64 %330
  %337 = load i64, ptr %336, align 8
  %338 = mul nsw i64 %335, %337
  %339 = icmp slt i64 %338, 0
  %340 = select i1 %339, ptr %328, ptr %329
  %341 = getelementptr inbounds i8, ptr %340, i64 %338
  %342 = select i1 %339, ptr %341, ptr %328
  %343 = select i1 %339, ptr %329, ptr %341
  br label %344

344:                                              ; preds = %281, %332, %325, %274
  %345 = phi ptr [ %269, %274 ], [ %326, %325 ], [ %342, %332 ], [ %269, %281 ]
  %346 = phi ptr [ %277, %274 ], [ %327, %325 ], [ %343, %332 ], [ %269, %281 ]
  br label %347

347:                                              ; preds = %443, %344
  %348 = phi i64 [ %444, %443 ], [ 0, %344 ]
  %349 = icmp eq i64 %348, %256
  br i1 %349, label %443, label %350

350:                                              ; preds = %347
  %351 = getelementptr inbounds %struct.Argument, ptr %250, i64 %348
  %352 = load i8, ptr %351, align 8
  %353 = icmp eq i8 %352, 0
  br i1 %353, label %354, label %443

354:                                              ; preds = %350
  %355 = getelementptr inbounds ptr, ptr %1, i64 %348
  %356 = load ptr, ptr %355, align 8
  %357 = getelementptr inbounds i8, ptr %356, i64 %251
  %358 = load ptr, ptr %357, align 8
  %359 = getelementptr inbounds i8, ptr %356, i64 %252
  %360 = load ptr, ptr %359, align 8
  %361 = getelementptr inbounds i8, ptr %356, i64 %253
  %362 = load ptr, ptr %361, align 8
  %363 = getelementptr inbounds %struct.Argument, ptr %250, i64 %348, i32 2
  %364 = load i8, ptr %363, align 2
  %365 = zext i8 %364 to i64
  %366 = icmp eq i8 %364, 0
  br i1 %366, label %367, label %374

367:                                              ; preds = %354
  %368 = getelementptr inbounds %struct.Argument, ptr %250, i64 %348, i32 8
  %369 = load i64, ptr %368, align 8
  %370 = getelementptr inbounds i8, ptr %362, i64 %369
  br label %437

371:                                              ; preds = %374
  %372 = add nuw nsw i64 %375, 1
  %373 = icmp eq i64 %372, %365
  br i1 %373, label %379, label %374, !llvm.loop !22

374:                                              ; preds = %354, %371
  %375 = phi i64 [ %372, %371 ], [ 0, %354 ]
  %376 = getelementptr inbounds i64, ptr %358, i64 %375
  %377 = load i64, ptr %376, align 8
  %378 = icmp eq i64 %377, 0
  br i1 %378, label %437, label %371

379:                                              ; preds = %371
  %380 = getelementptr inbounds %struct.Argument, ptr %250, i64 %348, i32 8
  %381 = load i64, ptr %380, align 8
  %382 = getelementptr inbounds i8, ptr %362, i64 %381
  %383 = and i64 %365, 1
  %384 = icmp eq i8 %364, 1
  br i1 %384, label %418, label %385

385:                                              ; preds = %379
  %386 = and i64 %365, 254
  br label %387

387:                                              ; preds = %387, %385
  %388 = phi ptr [ %362, %385 ], [ %413, %387 ]
  %389 = phi ptr [ %382, %385 ], [ %414, %387 ]
  %390 = phi i64 [ 0, %385 ], [ %415, %387 ]
  %391 = phi i64 [ 0, %385 ], [ %416, %387 ]
  %392 = getelementptr inbounds i64, ptr %358, i64 %390
  %393 = load i64, ptr %392, align 8
  %394 = add nsw i64 %393, -1
  %395 = getelementptr inbounds i64, ptr %360, i64 %390
  %396 = load i64, ptr %395, align 8
  %397 = mul nsw i64 %394, %396
  %398 = icmp slt i64 %397, 0
  %399 = select i1 %398, ptr %388, ptr %389
  %400 = getelementptr inbounds i8, ptr %399, i64 %397
  %401 = select i1 %398, ptr %400, ptr %388
  %402 = select i1 %398, ptr %389, ptr %400
  %403 = or i64 %390, 1
  %404 = getelementptr inbounds i64, ptr %358, i64 %403
  %405 = load i64, ptr %404, align 8
  %406 = add nsw i64 %405, -1
  %407 = getelementptr inbounds i64, ptr %360, i64 %403
  %408 = load i64, ptr %407, align 8
  %409 = mul nsw i64 %406, %408
  %410 = icmp slt i64 %409, 0
  %411 = select i1 %410, ptr %401, ptr %402
  %412 = getelementptr inbounds i8, ptr %411, i64 %409
  %413 = select i1 %410, ptr %412, ptr %401
  %414 = select i1 %410, ptr %402, ptr %412
  %415 = add nuw nsw i64 %390, 2
  %416 = add i64 %391, 2
  %417 = icmp eq i64 %416, %386
  br i1 %417, label %418, label %387, !llvm.loop !23

418:                                              ; preds = %387, %379
  %419 = phi ptr [ undef, %379 ], [ %413, %387 ]
  %420 = phi ptr [ undef, %379 ], [ %414, %387 ]
  %421 = phi ptr [ %362, %379 ], [ %413, %387 ]
  %422 = phi ptr [ %382, %379 ], [ %414, %387 ]
  %423 = phi i64 [ 0, %379 ], [ %415, %387 ]
  %424 = icmp eq i64 %383, 0
  br i1 %424, label %437, label %425

425:                                              ; preds = %418
  %426 = getelementptr inbounds i64, ptr %358, i64 %423
  %427 = load i64, ptr %426, align 8
  %428 = add nsw i64 %427, -1
  %429 = getelementptr inbounds i64, ptr %360, i64 %423
  %430 = load i64, ptr %429, align 8
  %431 = mul nsw i64 %428, %430
  %432 = icmp slt i64 %431, 0
  %433 = select i1 %432, ptr %421, ptr %422
  %434 = getelementptr inbounds i8, ptr %433, i64 %431
  %435 = select i1 %432, ptr %434, ptr %421
  %436 = select i1 %432, ptr %422, ptr %434
  br label %437

437:                                              ; preds = %374, %425, %418, %367
  %438 = phi ptr [ %362, %367 ], [ %419, %418 ], [ %435, %425 ], [ %362, %374 ]
  %439 = phi ptr [ %370, %367 ], [ %420, %418 ], [ %436, %425 ], [ %362, %374 ]
  %440 = icmp ult ptr %438, %346
  %441 = icmp ult ptr %345, %439
  %442 = select i1 %440, i1 %441, i1 false
  br i1 %442, label %450, label %443

443:                                              ; preds = %437, %350, %347
  %444 = add nuw nsw i64 %348, 1
  %445 = icmp eq i64 %444, %246
  br i1 %445, label %446, label %347, !llvm.loop !24

446:                                              ; preds = %443, %254
  %447 = add nuw nsw i64 %256, 1
  %448 = icmp slt i64 %447, %246
  %449 = icmp eq i64 %447, %246
  br i1 %449, label %450, label %254, !llvm.loop !25

450:                                              ; preds = %446, %437
  %451 = phi i1 [ %255, %437 ], [ %448, %446 ]
  br i1 %451, label %794, label %452

452:                                              ; preds = %245, %241, %450
  %453 = getelementptr inbounds %struct.Specialization, ptr %25, i64 0, i32 8, i32 10
  %454 = load ptr, ptr %453, align 8
  %455 = icmp eq ptr %454, null
  br i1 %455, label %468, label %456

456:                                              ; preds = %452
  %457 = call i64 %454(ptr noundef %33, ptr noundef %36) #16
  %458 = load i64, ptr %37, align 8
  %459 = icmp sgt i64 %458, 0
  br i1 %459, label %463, label %520

460:                                              ; preds = %463
  %461 = add nuw nsw i64 %464, 1
  %462 = icmp eq i64 %461, %458
  br i1 %462, label %520, label %463, !llvm.loop !26

463:                                              ; preds = %456, %460
  %464 = phi i64 [ %461, %460 ], [ 0, %456 ]
  %465 = getelementptr inbounds i64, ptr %36, i64 %464
  %466 = load i64, ptr %465, align 8
  %467 = icmp slt i64 %466, 0
  br i1 %467, label %794, label %460

468:                                              ; preds = %452
  %469 = load i64, ptr %31, align 8
  %470 = icmp sgt i64 %469, 0
  br i1 %470, label %471, label %475

471:                                              ; preds = %468
  %472 = getelementptr inbounds %struct.Specialization, ptr %25, i64 0, i32 7
  %473 = getelementptr inbounds %struct.Specialization, ptr %25, i64 0, i32 6
  %474 = load ptr, ptr %473, align 8
  br label %478

475:                                              ; preds = %493, %468
  %476 = getelementptr inbounds %struct.Specialization, ptr %25, i64 0, i32 8, i32 6
  %477 = load i64, ptr %476, align 8
  br label %520

478:                                              ; preds = %493, %471
  %479 = phi i64 [ %469, %471 ], [ %494, %493 ]
  %480 = phi ptr [ %474, %471 ], [ %495, %493 ]
  %481 = phi i64 [ 0, %471 ], [ %497, %493 ]
  %482 = phi ptr [ %36, %471 ], [ %496, %493 ]
  %483 = load ptr, ptr %472, align 8
  %484 = getelementptr inbounds %struct.Output, ptr %480, i64 %481, i32 5
  %485 = load i32, ptr %484, align 8
  %486 = sext i32 %485 to i64
  %487 = getelementptr inbounds i64, ptr %483, i64 %486
  %488 = getelementptr inbounds %struct.Output, ptr %480, i64 %481, i32 1
  %489 = load i8, ptr %488, align 1
  %490 = icmp eq i8 %489, 0
  br i1 %490, label %493, label %499

491:                                              ; preds = %511
  %492 = load i64, ptr %31, align 8
  br label %493

493:                                              ; preds = %491, %478
  %494 = phi i64 [ %479, %478 ], [ %492, %491 ]
  %495 = phi ptr [ %480, %478 ], [ %515, %491 ]
  %496 = phi ptr [ %482, %478 ], [ %513, %491 ]
  %497 = add nuw nsw i64 %481, 1
  %498 = icmp slt i64 %497, %494
  br i1 %498, label %478, label %475, !llvm.loop !27

499:                                              ; preds = %478, %511
  %500 = phi i64 [ %514, %511 ], [ 0, %478 ]
  %501 = phi ptr [ %513, %511 ], [ %482, %478 ]
  %502 = getelementptr inbounds i64, ptr %487, i64 %500
  %503 = load i64, ptr %502, align 8
  %504 = icmp sgt i64 %503, -1
  br i1 %504, label %511, label %505

505:                                              ; preds = %499
  %506 = load ptr, ptr %15, align 8
  %507 = xor i64 %503, -1
  %508 = lshr i64 %507, 1
  %509 = getelementptr inbounds i64, ptr %506, i64 %508
  %510 = load i64, ptr %509, align 8
  br label %511

511:                                              ; preds = %505, %499
  %512 = phi i64 [ %510, %505 ], [ %503, %499 ]
  %513 = getelementptr inbounds i64, ptr %501, i64 1
  store i64 %512, ptr %501, align 8
  %514 = add nuw nsw i64 %500, 1
  %515 = load ptr, ptr %473, align 8
  %516 = getelementptr inbounds %struct.Output, ptr %515, i64 %481, i32 1
  %517 = load i8, ptr %516, align 1
  %518 = zext i8 %517 to i64
  %519 = icmp ult i64 %514, %518
  br i1 %519, label %499, label %491, !llvm.loop !28

520:                                              ; preds = %460, %456, %475
  %521 = phi i64 [ %477, %475 ], [ %457, %456 ], [ %457, %460 ]
  %522 = icmp slt i64 %521, 0
  br i1 %522, label %794, label %523

523:                                              ; preds = %520
  %524 = inttoptr i64 %24 to ptr
  %525 = icmp eq ptr %23, null
  br i1 %525, label %531, label %526, !prof !17

526:                                              ; preds = %523
  %527 = load ptr, ptr %524, align 8
  %528 = ptrtoint ptr %527 to i64
  store atomic i64 %528, ptr %23 release, align 8
  %529 = load ptr, ptr %10, align 8
  %530 = ptrtoint ptr %529 to i64
  store atomic i64 %530, ptr %524 release, align 8
  store atomic i64 %24, ptr %10 release, align 8
  br label %531

531:                                              ; preds = %526, %523
  %532 = getelementptr inbounds %struct.Specialization, ptr %524, i64 0, i32 3
  %533 = load i64, ptr %532, align 8
  %534 = add nsw i64 %533, 1
  store i64 %534, ptr %532, align 8
  store i32 1, ptr %4, align 4
  call void @llvm.lifetime.start.p0(i64 4096, ptr nonnull %6) #18
  call void @llvm.lifetime.start.p0(i64 24, ptr nonnull %7) #18
  store ptr @runtime_parallel_for, ptr %7, align 8
  %535 = load atomic i32, ptr @gc_workers acquire, align 4
  %536 = freeze i32 %535
  %537 = sext i32 %536 to i64
  store i64 %537, ptr %20, align 8
  store i64 1, ptr %21, align 8
  %538 = getelementptr inbounds %struct.Specialization, ptr %524, i64 0, i32 8, i32 7
  %539 = load i64, ptr %538, align 8
  %540 = mul nsw i64 %539, %537
  %541 = add nsw i64 %540, %521
  %542 = icmp sgt i64 %541, 0
  br i1 %542, label %543, label %550

543:                                              ; preds = %531
  %544 = icmp ult i64 %541, 4097
  br i1 %544, label %550, label %545

545:                                              ; preds = %543
  %546 = call ptr @gc_block_take(i64 noundef %541) #17
  %547 = icmp eq ptr %546, null
  br i1 %547, label %548, label %550, !prof !7

548:                                              ; preds = %545
  %549 = call fastcc ptr @out_of_memory(i64 noundef %541) #17
  call void @llvm.lifetime.end.p0(i64 24, ptr nonnull %7) #18
  call void @llvm.lifetime.end.p0(i64 4096, ptr nonnull %6) #18
  br label %800

550:                                              ; preds = %545, %543, %531
  %551 = phi ptr [ %546, %545 ], [ null, %531 ], [ %6, %543 ]
  %552 = load i64, ptr %31, align 8
  %553 = icmp slt i64 %552, 1
  br i1 %553, label %554, label %556

554:                                              ; preds = %550
  %555 = load i64, ptr %18, align 8
  br label %670

556:                                              ; preds = %550
  %557 = load ptr, ptr %16, align 8
  %558 = getelementptr inbounds %struct.Specialization, ptr %524, i64 0, i32 6
  %559 = load i64, ptr %18, align 8
  %560 = load ptr, ptr %17, align 8
  %561 = load ptr, ptr %9, align 8
  br label %562

562:                                              ; preds = %653, %556
  %563 = phi i64 [ %559, %556 ], [ %655, %653 ]
  %564 = phi i64 [ 0, %556 ], [ %660, %653 ]
  %565 = phi ptr [ %557, %556 ], [ %659, %653 ]
  %566 = load ptr, ptr %558, align 8
  %567 = getelementptr inbounds %struct.Output, ptr %566, i64 %564, i32 3
  %568 = load i32, ptr %567, align 4
  %569 = icmp sgt i32 %568, -1
  br i1 %569, label %570, label %576

570:                                              ; preds = %562
  %571 = zext i32 %568 to i64
  %572 = getelementptr inbounds ptr, ptr %1, i64 %571
  %573 = load ptr, ptr %572, align 8
  %574 = getelementptr inbounds ptr, ptr %560, i64 %564
  store ptr %573, ptr %574, align 8
  call void @Py_IncRef(ptr noundef %573) #16
  %575 = load ptr, ptr %574, align 8
  br label %653

576:                                              ; preds = %562
  %577 = getelementptr inbounds %struct.Output, ptr %566, i64 %564, i32 7
  %578 = load i64, ptr %577, align 8
  %579 = getelementptr inbounds %struct.Output, ptr %566, i64 %564, i32 1
  %580 = load i8, ptr %579, align 1
  %581 = zext i8 %580 to i64
  %582 = icmp eq i8 %580, 0
  br i1 %582, label %600, label %583

583:                                              ; preds = %576
  %584 = and i64 %581, 1
  %585 = icmp eq i8 %580, 1
  br i1 %585, label %588, label %586

586:                                              ; preds = %583
  %587 = and i64 %581, 254
  br label %631

588:                                              ; preds = %631, %583
  %589 = phi i64 [ undef, %583 ], [ %647, %631 ]
  %590 = phi i64 [ 0, %583 ], [ %648, %631 ]
  %591 = phi i64 [ %578, %583 ], [ %647, %631 ]
  %592 = icmp eq i64 %584, 0
  br i1 %592, label %600, label %593

593:                                              ; preds = %588
  %594 = getelementptr inbounds i64, ptr %565, i64 %590
  %595 = load i64, ptr %594, align 8
  %596 = call { i64, i1 } @llvm.smul.with.overflow.i64(i64 %591, i64 %595)
  %597 = extractvalue { i64, i1 } %596, 1
  %598 = extractvalue { i64, i1 } %596, 0
  %599 = select i1 %597, i64 0, i64 %598
  br label %600

600:                                              ; preds = %593, %588, %576
  %601 = phi i64 [ %578, %576 ], [ %589, %588 ], [ %599, %593 ]
  %602 = getelementptr inbounds %struct.Output, ptr %566, i64 %564, i32 4
  %603 = load ptr, ptr %602, align 8
  %604 = load ptr, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 5), align 8
  %605 = load ptr, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 6), align 8
  call void @Py_IncRef(ptr noundef %603) #16
  %606 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 3), align 8
  %607 = icmp sgt i64 %606, %601
  %608 = load ptr, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 8), align 8
  %609 = icmp eq ptr %608, null
  %610 = select i1 %607, i1 true, i1 %609
  br i1 %610, label %611, label %615, !prof !17

611:                                              ; preds = %600
  %612 = load ptr, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 4), align 8
  %613 = zext i8 %580 to i32
  %614 = call ptr %604(ptr noundef %612, ptr noundef %603, i32 noundef %613, ptr noundef %565, ptr noundef null, ptr noundef null, i32 noundef 0, ptr noundef null) #16
  br label %627

615:                                              ; preds = %600
  %616 = call ptr %605(ptr noundef nonnull %608) #16
  %617 = icmp eq ptr %616, null
  br i1 %617, label %618, label %620

618:                                              ; preds = %615
  store i64 %563, ptr %18, align 8
  call void @Py_DecRef(ptr noundef %603) #16
  %619 = getelementptr inbounds ptr, ptr %560, i64 %564
  store ptr null, ptr %619, align 8
  br label %692

620:                                              ; preds = %615
  %621 = load ptr, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 4), align 8
  %622 = zext i8 %580 to i32
  %623 = call ptr %604(ptr noundef %621, ptr noundef %603, i32 noundef %622, ptr noundef %565, ptr noundef null, ptr noundef null, i32 noundef 0, ptr noundef null) #16
  %624 = call ptr %605(ptr noundef nonnull %616) #16
  call void @Py_DecRef(ptr noundef nonnull %616) #16
  %625 = icmp eq ptr %624, null
  br i1 %625, label %627, label %626

626:                                              ; preds = %620
  call void @Py_DecRef(ptr noundef nonnull %624) #16
  br label %627

627:                                              ; preds = %626, %620, %611
  %628 = phi ptr [ %614, %611 ], [ %623, %626 ], [ %623, %620 ]
  %629 = getelementptr inbounds ptr, ptr %560, i64 %564
  store ptr %628, ptr %629, align 8
  %630 = icmp eq ptr %628, null
  br i1 %630, label %691, label %651

631:                                              ; preds = %631, %586
  %632 = phi i64 [ 0, %586 ], [ %648, %631 ]
  %633 = phi i64 [ %578, %586 ], [ %647, %631 ]
  %634 = phi i64 [ 0, %586 ], [ %649, %631 ]
  %635 = getelementptr inbounds i64, ptr %565, i64 %632
  %636 = load i64, ptr %635, align 8
  %637 = call { i64, i1 } @llvm.smul.with.overflow.i64(i64 %633, i64 %636)
  %638 = extractvalue { i64, i1 } %637, 1
  %639 = extractvalue { i64, i1 } %637, 0
  %640 = select i1 %638, i64 0, i64 %639
  %641 = or i64 %632, 1
  %642 = getelementptr inbounds i64, ptr %565, i64 %641
  %643 = load i64, ptr %642, align 8
  %644 = call { i64, i1 } @llvm.smul.with.overflow.i64(i64 %640, i64 %643)
  %645 = extractvalue { i64, i1 } %644, 1
  %646 = extractvalue { i64, i1 } %644, 0
  %647 = select i1 %645, i64 0, i64 %646
  %648 = add nuw nsw i64 %632, 2
  %649 = add i64 %634, 2
  %650 = icmp eq i64 %649, %587
  br i1 %650, label %588, label %631, !llvm.loop !29

651:                                              ; preds = %627
  %652 = add nsw i64 %563, %601
  br label %653

653:                                              ; preds = %651, %570
  %654 = phi ptr [ %628, %651 ], [ %575, %570 ]
  %655 = phi i64 [ %652, %651 ], [ %563, %570 ]
  %656 = getelementptr inbounds %struct.Output, ptr %566, i64 %564, i32 1
  %657 = load i8, ptr %656, align 1
  %658 = zext i8 %657 to i64
  %659 = getelementptr inbounds i64, ptr %565, i64 %658
  %660 = add nuw nsw i64 %564, 1
  %661 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 10), align 8
  %662 = getelementptr inbounds i8, ptr %654, i64 %661
  %663 = load ptr, ptr %662, align 8
  %664 = load i64, ptr %26, align 8
  %665 = add nsw i64 %664, %564
  %666 = getelementptr inbounds ptr, ptr %561, i64 %665
  store ptr %663, ptr %666, align 8
  %667 = load i64, ptr %31, align 8
  %668 = icmp slt i64 %660, %667
  br i1 %668, label %562, label %669, !llvm.loop !30

669:                                              ; preds = %653
  store i64 %655, ptr %18, align 8
  br label %670

670:                                              ; preds = %554, %669
  %671 = phi i64 [ %555, %554 ], [ %655, %669 ]
  %672 = phi i64 [ 0, %554 ], [ %660, %669 ]
  %673 = getelementptr inbounds %struct.Specialization, ptr %524, i64 0, i32 8, i32 8
  %674 = load i64, ptr %673, align 8
  %675 = icmp slt i64 %674, 0
  %676 = icmp slt i64 %671, %674
  %677 = select i1 %675, i1 true, i1 %676
  br i1 %677, label %685, label %678

678:                                              ; preds = %670
  %679 = call ptr @PyEval_SaveThread() #16
  %680 = getelementptr inbounds %struct.Specialization, ptr %524, i64 0, i32 8, i32 9
  %681 = load ptr, ptr %680, align 8
  %682 = load ptr, ptr %9, align 8
  %683 = load ptr, ptr %15, align 8
  %684 = call i64 %681(ptr noundef %682, ptr noundef %683, ptr noundef %551, ptr noundef nonnull %7) #16
  call void @PyEval_RestoreThread(ptr noundef %679) #16
  br label %692

685:                                              ; preds = %670
  %686 = getelementptr inbounds %struct.Specialization, ptr %524, i64 0, i32 8, i32 9
  %687 = load ptr, ptr %686, align 8
  %688 = load ptr, ptr %9, align 8
  %689 = load ptr, ptr %15, align 8
  %690 = call i64 %687(ptr noundef %688, ptr noundef %689, ptr noundef %551, ptr noundef nonnull %7) #16
  br label %692

691:                                              ; preds = %627
  store i64 %563, ptr %18, align 8
  br label %692

692:                                              ; preds = %691, %685, %678, %618
  %693 = phi i1 [ true, %678 ], [ true, %685 ], [ false, %618 ], [ false, %691 ]
  %694 = phi i64 [ %672, %678 ], [ %672, %685 ], [ %564, %618 ], [ %564, %691 ]
  %695 = phi i64 [ %684, %678 ], [ %690, %685 ], [ 0, %618 ], [ 0, %691 ]
  %696 = icmp ne ptr %551, null
  %697 = icmp ne ptr %551, %6
  %698 = and i1 %696, %697
  br i1 %698, label %699, label %700

699:                                              ; preds = %692
  call void @gc_block_give(ptr noundef nonnull %551) #17
  br label %700

700:                                              ; preds = %699, %692
  %701 = icmp eq i64 %695, 0
  %702 = select i1 %693, i1 %701, i1 false, !prof !17
  br i1 %702, label %703, label %779, !prof !17

703:                                              ; preds = %700
  %704 = load i64, ptr %31, align 8
  %705 = load ptr, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 7), align 8
  %706 = icmp sgt i64 %704, 0
  br i1 %706, label %707, label %734

707:                                              ; preds = %703
  %708 = getelementptr inbounds %struct.Specialization, ptr %524, i64 0, i32 6
  %709 = load ptr, ptr %17, align 8
  br label %710

710:                                              ; preds = %731, %707
  %711 = phi i64 [ 0, %707 ], [ %732, %731 ]
  %712 = load ptr, ptr %708, align 8
  %713 = getelementptr inbounds %struct.Output, ptr %712, i64 %711
  %714 = load i8, ptr %713, align 8
  %715 = and i8 %714, 1
  %716 = icmp eq i8 %715, 0
  br i1 %716, label %731, label %717, !prof !17

717:                                              ; preds = %710
  %718 = getelementptr inbounds ptr, ptr %709, i64 %711
  %719 = load ptr, ptr %718, align 8
  %720 = call ptr %705(ptr noundef %719) #16
  store ptr %720, ptr %718, align 8
  %721 = icmp eq ptr %720, null
  br i1 %721, label %722, label %731

722:                                              ; preds = %717, %728
  %723 = phi i64 [ %729, %728 ], [ 0, %717 ]
  %724 = icmp eq i64 %723, %711
  br i1 %724, label %728, label %725

725:                                              ; preds = %722
  %726 = getelementptr inbounds ptr, ptr %709, i64 %723
  %727 = load ptr, ptr %726, align 8
  call void @Py_DecRef(ptr noundef %727) #16
  br label %728

728:                                              ; preds = %725, %722
  %729 = add nuw nsw i64 %723, 1
  %730 = icmp eq i64 %729, %704
  br i1 %730, label %797, label %722, !llvm.loop !31

731:                                              ; preds = %717, %710
  %732 = add nuw nsw i64 %711, 1
  %733 = icmp eq i64 %732, %704
  br i1 %733, label %734, label %710, !llvm.loop !32

734:                                              ; preds = %731, %703
  %735 = getelementptr inbounds %struct.Specialization, ptr %524, i64 0, i32 8, i32 5
  %736 = load i64, ptr %735, align 8
  switch i64 %736, label %755 [
    i64 0, label %737
    i64 1, label %740
  ]

737:                                              ; preds = %734
  %738 = load ptr, ptr %17, align 8
  %739 = load ptr, ptr %738, align 8
  br label %797

740:                                              ; preds = %734
  %741 = call ptr @PyTuple_New(i64 noundef %704) #16
  br i1 %706, label %742, label %797

742:                                              ; preds = %740
  %743 = icmp eq ptr %741, null
  %744 = load ptr, ptr %17, align 8
  br label %745

745:                                              ; preds = %752, %742
  %746 = phi i64 [ 0, %742 ], [ %753, %752 ]
  %747 = getelementptr inbounds ptr, ptr %744, i64 %746
  %748 = load ptr, ptr %747, align 8
  br i1 %743, label %751, label %749

749:                                              ; preds = %745
  %750 = call i32 @PyTuple_SetItem(ptr noundef nonnull %741, i64 noundef %746, ptr noundef %748) #16
  br label %752

751:                                              ; preds = %745
  call void @Py_DecRef(ptr noundef %748) #16
  br label %752

752:                                              ; preds = %751, %749
  %753 = add nuw nsw i64 %746, 1
  %754 = icmp eq i64 %753, %704
  br i1 %754, label %797, label %745, !llvm.loop !33

755:                                              ; preds = %734
  %756 = load ptr, ptr %17, align 8
  %757 = call ptr @PyList_New(i64 noundef %704) #16
  br i1 %706, label %758, label %770

758:                                              ; preds = %755
  %759 = icmp eq ptr %757, null
  br label %760

760:                                              ; preds = %767, %758
  %761 = phi i64 [ 0, %758 ], [ %768, %767 ]
  %762 = getelementptr inbounds ptr, ptr %756, i64 %761
  %763 = load ptr, ptr %762, align 8
  br i1 %759, label %766, label %764

764:                                              ; preds = %760
  %765 = call i32 @PyList_SetItem(ptr noundef nonnull %757, i64 noundef %761, ptr noundef %763) #16
  br label %767

766:                                              ; preds = %760
  call void @Py_DecRef(ptr noundef %763) #16
  br label %767

767:                                              ; preds = %766, %764
  %768 = add nuw nsw i64 %761, 1
  %769 = icmp eq i64 %768, %704
  br i1 %769, label %770, label %760, !llvm.loop !34

770:                                              ; preds = %767, %755
  %771 = icmp eq ptr %757, null
  br i1 %771, label %797, label %772

772:                                              ; preds = %770
  %773 = load i64, ptr %735, align 8
  %774 = icmp eq i64 %773, 2
  br i1 %774, label %797, label %775

775:                                              ; preds = %772
  %776 = getelementptr inbounds %struct.Specialization, ptr %524, i64 0, i32 8, i32 11
  %777 = load ptr, ptr %776, align 8
  %778 = call ptr (ptr, ...) @PyObject_CallFunctionObjArgs(ptr noundef %777, ptr noundef nonnull %757, ptr noundef null) #16
  call void @Py_DecRef(ptr noundef nonnull %757) #16
  br label %797

779:                                              ; preds = %700
  br i1 %693, label %784, label %780

780:                                              ; preds = %779
  %781 = icmp sgt i64 %694, 0
  br i1 %781, label %782, label %797

782:                                              ; preds = %780
  %783 = load ptr, ptr %17, align 8
  br label %785

784:                                              ; preds = %779
  call fastcc void @fail(ptr noundef %0, i64 noundef %695, ptr noundef nonnull %9, i64 noundef %694) #17
  br label %797

785:                                              ; preds = %782, %785
  %786 = phi i64 [ %789, %785 ], [ 0, %782 ]
  %787 = getelementptr inbounds ptr, ptr %783, i64 %786
  %788 = load ptr, ptr %787, align 8
  call void @Py_DecRef(ptr noundef %788) #16
  %789 = add nuw nsw i64 %786, 1
  %790 = icmp eq i64 %789, %694
  br i1 %790, label %797, label %785, !llvm.loop !35

791:                                              ; preds = %181
  store i64 %46, ptr %18, align 8
  br label %794

792:                                              ; preds = %138, %128
  store i64 %46, ptr %18, align 8
  br label %794

793:                                              ; preds = %215, %203, %219, %226, %60, %54, %92, %93, %87, %75
  store i64 %46, ptr %18, align 8
  br label %794

794:                                              ; preds = %463, %793, %792, %791, %520, %235, %22, %450
  %795 = load atomic i64, ptr %25 acquire, align 8
  %796 = icmp eq i64 %795, 0
  br i1 %796, label %799, label %22, !llvm.loop !36

797:                                              ; preds = %785, %728, %752, %737, %740, %770, %772, %775, %780, %784
  %798 = phi ptr [ null, %784 ], [ %739, %737 ], [ %778, %775 ], [ %757, %772 ], [ null, %770 ], [ %741, %740 ], [ null, %780 ], [ %741, %752 ], [ null, %728 ], [ null, %785 ]
  call void @llvm.lifetime.end.p0(i64 24, ptr nonnull %7) #18
  call void @llvm.lifetime.end.p0(i64 4096, ptr nonnull %6) #18
  br label %800

799:                                              ; preds = %794, %5
  store i32 0, ptr %4, align 4
  br label %800

800:                                              ; preds = %548, %797, %799
  %801 = phi ptr [ null, %799 ], [ %549, %548 ], [ %798, %797 ]
  call void @llvm.lifetime.end.p0(i64 48, ptr nonnull %9) #18
  ret ptr %801
}

declare ptr @PyErr_NoMemory() local_unnamed_addr #3

declare ptr @PyObject_Vectorcall(ptr noundef, ptr noundef, i64 noundef, ptr noundef) local_unnamed_addr #3

declare double @PyFloat_AsDouble(ptr noundef) local_unnamed_addr #3

declare i64 @PyLong_AsLongLongAndOverflow(ptr noundef, ptr noundef) local_unnamed_addr #3

declare double @PyComplex_RealAsDouble(ptr noundef) local_unnamed_addr #3

declare double @PyComplex_ImagAsDouble(ptr noundef) local_unnamed_addr #3

; Function Attrs: mustprogress nocallback nofree nosync nounwind speculatable willreturn memory(none)
declare i64 @llvm.cttz.i64(i64, i1 immarg) #12

; Function Attrs: noinline nounwind
define internal fastcc ptr @out_of_memory(i64 noundef %0) unnamed_addr #14 {
  %2 = load ptr, ptr @PyExc_MemoryError, align 8
  %3 = tail call ptr (ptr, ptr, ...) @PyErr_Format(ptr noundef %2, ptr noundef nonnull @.str.7, i64 noundef %0) #16
  ret ptr %3
}

declare ptr @PyEval_SaveThread() local_unnamed_addr #3

declare void @PyEval_RestoreThread(ptr noundef) local_unnamed_addr #3

; Function Attrs: nounwind
define internal fastcc void @fail(ptr nocapture noundef readonly %0, i64 noundef %1, ptr nocapture noundef readonly %2, i64 noundef %3) unnamed_addr #0 {
  %5 = getelementptr inbounds %struct.Frame, ptr %2, i64 0, i32 3
  %6 = load ptr, ptr %5, align 8
  %7 = tail call ptr @PyList_New(i64 noundef %3) #16
  %8 = icmp sgt i64 %3, 0
  br i1 %8, label %9, label %21

9:                                                ; preds = %4
  %10 = icmp eq ptr %7, null
  br label %11

11:                                               ; preds = %18, %9
  %12 = phi i64 [ 0, %9 ], [ %19, %18 ]
  %13 = getelementptr inbounds ptr, ptr %6, i64 %12
  %14 = load ptr, ptr %13, align 8
  br i1 %10, label %17, label %15

15:                                               ; preds = %11
  %16 = tail call i32 @PyList_SetItem(ptr noundef nonnull %7, i64 noundef %12, ptr noundef %14) #16
  br label %18

17:                                               ; preds = %11
  tail call void @Py_DecRef(ptr noundef %14) #16
  br label %18

18:                                               ; preds = %17, %15
  %19 = add nuw nsw i64 %12, 1
  %20 = icmp eq i64 %19, %3
  br i1 %20, label %21, label %11, !llvm.loop !34

21:                                               ; preds = %18, %4
  %22 = icmp eq ptr %7, null
  br i1 %22, label %44, label %23

23:                                               ; preds = %21
  %24 = tail call ptr @PyLong_FromLongLong(i64 noundef %1) #16
  %25 = icmp eq ptr %24, null
  br i1 %25, label %43, label %26

26:                                               ; preds = %23
  %27 = getelementptr inbounds %struct.Compiled, ptr %0, i64 0, i32 5
  %28 = load ptr, ptr %27, align 8
  %29 = icmp eq ptr %28, null
  br i1 %29, label %36, label %30

30:                                               ; preds = %26
  %31 = tail call ptr (ptr, ...) @PyObject_CallFunctionObjArgs(ptr noundef nonnull %28, ptr noundef nonnull %24, ptr noundef nonnull %7, ptr noundef null) #16
  %32 = icmp eq ptr %31, null
  br i1 %32, label %33, label %39

33:                                               ; preds = %30
  %34 = load ptr, ptr %27, align 8
  %35 = icmp eq ptr %34, null
  br i1 %35, label %36, label %42

36:                                               ; preds = %26, %33
  %37 = load ptr, ptr @PyExc_RuntimeError, align 8
  %38 = tail call ptr (ptr, ptr, ...) @PyErr_Format(ptr noundef %37, ptr noundef nonnull @.str.8, i64 noundef %1) #16
  br label %42

39:                                               ; preds = %30
  %40 = load ptr, ptr @PyExc_RuntimeError, align 8
  %41 = tail call ptr (ptr, ptr, ...) @PyErr_Format(ptr noundef %40, ptr noundef nonnull @.str.8, i64 noundef %1) #16
  tail call void @Py_DecRef(ptr noundef nonnull %31) #16
  br label %42

42:                                               ; preds = %33, %39, %36
  tail call void @Py_DecRef(ptr noundef nonnull %24) #16
  br label %43

43:                                               ; preds = %23, %42
  tail call void @Py_DecRef(ptr noundef nonnull %7) #16
  br label %44

44:                                               ; preds = %21, %43
  ret void
}

declare ptr @PyTuple_New(i64 noundef) local_unnamed_addr #3

declare i32 @PyTuple_SetItem(ptr noundef, i64 noundef, ptr noundef) local_unnamed_addr #3

declare ptr @PyObject_CallFunctionObjArgs(ptr noundef, ...) local_unnamed_addr #3

declare ptr @PyList_New(i64 noundef) local_unnamed_addr #3

declare i32 @PyList_SetItem(ptr noundef, i64 noundef, ptr noundef) local_unnamed_addr #3

declare ptr @PyLong_FromLongLong(i64 noundef) local_unnamed_addr #3

; Function Attrs: nocallback nofree nosync nounwind speculatable willreturn memory(none)
declare i64 @llvm.smax.i64(i64, i64) #15

; Function Attrs: nocallback nofree nosync nounwind speculatable willreturn memory(none)
declare i64 @llvm.smin.i64(i64, i64) #15

; Function Attrs: nocallback nofree nosync nounwind speculatable willreturn memory(none)
declare i64 @llvm.ctpop.i64(i64) #15

; Function Attrs: nocallback nofree nosync nounwind speculatable willreturn memory(none)
declare i64 @llvm.umin.i64(i64, i64) #15

attributes #0 = { nounwind "no-builtins" "no-trapping-math"="true" "stack-protector-buffer-size"="8" }
attributes #1 = { mustprogress nofree norecurse nounwind willreturn memory(readwrite, argmem: none, inaccessiblemem: none) "no-builtins" "no-trapping-math"="true" "stack-protector-buffer-size"="8" }
attributes #2 = { mustprogress nocallback nofree nosync nounwind willreturn memory(argmem: readwrite) }
attributes #3 = { "no-builtins" "no-trapping-math"="true" "stack-protector-buffer-size"="8" }
attributes #4 = { mustprogress nofree nounwind willreturn memory(readwrite, argmem: none, inaccessiblemem: none) "no-builtins" "no-trapping-math"="true" "stack-protector-buffer-size"="8" }
attributes #5 = { mustprogress nofree norecurse nosync nounwind willreturn memory(read, argmem: none, inaccessiblemem: none) "no-builtins" "no-trapping-math"="true" "stack-protector-buffer-size"="8" }
attributes #6 = { mustprogress nofree norecurse nosync nounwind willreturn memory(none) "no-builtins" "no-trapping-math"="true" "stack-protector-buffer-size"="8" }
attributes #7 = { mustprogress nofree nosync nounwind willreturn memory(readwrite, inaccessiblemem: none) "no-builtins" "no-trapping-math"="true" "stack-protector-buffer-size"="8" }
attributes #8 = { mustprogress nocallback nofree nounwind willreturn memory(argmem: readwrite) }
attributes #9 = { mustprogress nofree norecurse nounwind willreturn memory(argmem: readwrite) "no-builtins" "no-trapping-math"="true" "stack-protector-buffer-size"="8" }
attributes #10 = { nofree norecurse nosync nounwind memory(read, argmem: readwrite, inaccessiblemem: none) "no-builtins" "no-trapping-math"="true" "stack-protector-buffer-size"="8" }
attributes #11 = { mustprogress nofree norecurse nounwind willreturn memory(readwrite, argmem: write, inaccessiblemem: none) "no-builtins" "no-trapping-math"="true" "stack-protector-buffer-size"="8" }
attributes #12 = { mustprogress nocallback nofree nosync nounwind speculatable willreturn memory(none) }
attributes #13 = { noreturn nounwind "no-builtins" "no-trapping-math"="true" "stack-protector-buffer-size"="8" }
attributes #14 = { noinline nounwind "no-builtins" "no-trapping-math"="true" "stack-protector-buffer-size"="8" }
attributes #15 = { nocallback nofree nosync nounwind speculatable willreturn memory(none) }
attributes #16 = { nobuiltin nounwind "no-builtins" }
attributes #17 = { nobuiltin "no-builtins" }
attributes #18 = { nounwind }

!llvm.module.flags = !{!0, !1}

!0 = !{i32 1, !"wchar_size", i32 4}
!1 = !{i32 8, !"PIC Level", i32 2}
!3 = distinct !{!3, !4}
!4 = !{!"llvm.loop.mustprogress"}
!5 = distinct !{!5, !4}
!6 = !{i64 1, i64 65}
!7 = !{!"branch_weights", i32 1, i32 2000}
!8 = distinct !{!8, !4}
!9 = distinct !{!9, !4}
!10 = distinct !{!10, !4}
!11 = distinct !{!11, !4}
!12 = distinct !{!12, !4}
!13 = distinct !{!13, !4}
!14 = distinct !{!14, !4}
!15 = distinct !{!15, !4}
!16 = distinct !{!16, !4}
!17 = !{!"branch_weights", i32 2000, i32 1}
!18 = distinct !{!18, !4}
!19 = !{i64 0, i64 65}
!20 = distinct !{!20, !4}
!21 = distinct !{!21, !4}
!22 = distinct !{!22, !4}
!23 = distinct !{!23, !4}
!24 = distinct !{!24, !4}
!25 = distinct !{!25, !4}
!26 = distinct !{!26, !4}
!27 = distinct !{!27, !4}
!28 = distinct !{!28, !4}
!29 = distinct !{!29, !4}
!30 = distinct !{!30, !4}
!31 = distinct !{!31, !4}
!32 = distinct !{!32, !4}
!33 = distinct !{!33, !4}
!34 = distinct !{!34, !4}
!35 = distinct !{!35, !4}
!36 = distinct !{!36, !4}
