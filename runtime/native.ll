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
%struct.Head = type { i64, i64, i64, i64, i64, i64, i64, i64, i64, i64, ptr, ptr, ptr, ptr, i64 }
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
@gc_layout = local_unnamed_addr constant [5 x i64] [i64 120, i64 32, i64 32, i64 96, i64 152], align 16
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
@PyUnicode_Type = external global [0 x i8], align 1
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
  %9 = icmp eq ptr %3, null
  br i1 %9, label %14, label %10

10:                                               ; preds = %4
  %11 = tail call i64 @PyTuple_Size(ptr noundef nonnull %3) #16
  %12 = freeze i64 %11
  %13 = icmp eq i64 %12, 0
  br i1 %13, label %14, label %15

14:                                               ; preds = %4, %10
  br label %15

15:                                               ; preds = %10, %14
  %16 = phi i64 [ 0, %14 ], [ %12, %10 ]
  %17 = phi ptr [ null, %14 ], [ %3, %10 ]
  call void @llvm.lifetime.start.p0(i64 4, ptr nonnull %5) #18
  store i32 0, ptr %5, align 4
  %18 = add nsw i64 %16, %6
  %19 = getelementptr inbounds %struct.Compiled, ptr %0, i64 0, i32 6
  %20 = load ptr, ptr %19, align 8
  %21 = icmp eq ptr %20, null
  br i1 %21, label %38, label %22, !prof !7

22:                                               ; preds = %15
  %23 = icmp slt i64 %8, 8193
  br i1 %23, label %24, label %27, !prof !17

24:                                               ; preds = %22
  %25 = alloca i8, i64 %8, align 16
  %26 = call fastcc ptr @dispatch(ptr noundef nonnull %0, ptr noundef %1, i64 noundef %18, ptr noundef %17, ptr noundef nonnull %25, ptr noundef nonnull %5) #17
  br label %34

27:                                               ; preds = %22
  %28 = tail call ptr @malloc(i64 noundef %8) #16
  %29 = icmp eq ptr %28, null
  br i1 %29, label %30, label %32

30:                                               ; preds = %27
  %31 = tail call ptr @PyErr_NoMemory() #16
  br label %50

32:                                               ; preds = %27
  %33 = call fastcc ptr @dispatch(ptr noundef nonnull %0, ptr noundef %1, i64 noundef %18, ptr noundef %17, ptr noundef nonnull %28, ptr noundef nonnull %5) #17
  tail call void @free(ptr noundef nonnull %28) #16
  br label %34

34:                                               ; preds = %24, %32
  %35 = phi ptr [ %26, %24 ], [ %33, %32 ]
  %36 = load i32, ptr %5, align 4
  %37 = icmp eq i32 %36, 0
  br i1 %37, label %38, label %50

38:                                               ; preds = %34, %15
  %39 = getelementptr inbounds %struct.Compiled, ptr %0, i64 0, i32 9
  %40 = load i64, ptr %39, align 8
  %41 = add nsw i64 %40, 1
  store i64 %41, ptr %39, align 8
  %42 = getelementptr inbounds %struct.Compiled, ptr %0, i64 0, i32 4
  %43 = load ptr, ptr %42, align 8
  %44 = icmp eq ptr %43, null
  br i1 %44, label %45, label %48

45:                                               ; preds = %38
  %46 = load ptr, ptr @PyExc_RuntimeError, align 8
  %47 = call ptr (ptr, ptr, ...) @PyErr_Format(ptr noundef %46, ptr noundef nonnull @.str.6) #16
  br label %50

48:                                               ; preds = %38
  call void @Py_IncRef(ptr noundef nonnull %43) #16
  %49 = call ptr @PyObject_Vectorcall(ptr noundef nonnull %43, ptr noundef %1, i64 noundef %2, ptr noundef %3) #16
  call void @Py_DecRef(ptr noundef nonnull %43) #16
  br label %50

50:                                               ; preds = %30, %34, %48, %45
  %51 = phi ptr [ %49, %48 ], [ %47, %45 ], [ %35, %34 ], [ %31, %30 ]
  call void @llvm.lifetime.end.p0(i64 4, ptr nonnull %5) #18
  ret ptr %51
}

declare ptr @PyTuple_GetItem(ptr noundef, i64 noundef) local_unnamed_addr #3

; Function Attrs: nounwind
define internal fastcc ptr @dispatch(ptr nocapture noundef %0, ptr nocapture noundef readonly %1, i64 noundef %2, ptr noundef %3, ptr noundef %4, ptr nocapture noundef writeonly %5) unnamed_addr #0 {
  %7 = alloca [4096 x i8], align 64
  %8 = alloca %struct.GcRuntime, align 8
  %9 = alloca i32, align 4
  %10 = alloca %struct.Frame, align 8
  call void @llvm.lifetime.start.p0(i64 48, ptr nonnull %10) #18
  %11 = getelementptr inbounds %struct.Compiled, ptr %0, i64 0, i32 6
  %12 = load atomic i64, ptr %11 acquire, align 8
  %13 = icmp eq i64 %12, 0
  br i1 %13, label %838, label %14

14:                                               ; preds = %6
  %15 = getelementptr inbounds %struct.Frame, ptr %10, i64 0, i32 4
  %16 = getelementptr inbounds %struct.Frame, ptr %10, i64 0, i32 1
  %17 = getelementptr inbounds %struct.Frame, ptr %10, i64 0, i32 2
  %18 = getelementptr inbounds %struct.Frame, ptr %10, i64 0, i32 3
  %19 = getelementptr inbounds %struct.Frame, ptr %10, i64 0, i32 5
  %20 = icmp ne ptr %3, null
  %21 = icmp sgt i64 %2, 0
  %22 = getelementptr inbounds %struct.GcRuntime, ptr %8, i64 0, i32 1
  %23 = getelementptr inbounds %struct.GcRuntime, ptr %8, i64 0, i32 2
  br label %24

24:                                               ; preds = %14, %833
  %25 = phi ptr [ null, %14 ], [ %27, %833 ]
  %26 = phi i64 [ %12, %14 ], [ %834, %833 ]
  %27 = inttoptr i64 %26 to ptr
  %28 = getelementptr inbounds %struct.Specialization, ptr %27, i64 0, i32 8
  store ptr %4, ptr %15, align 8
  %29 = load i64, ptr %28, align 8
  %30 = shl nsw i64 %29, 4
  %31 = getelementptr inbounds i8, ptr %4, i64 %30
  store ptr %31, ptr %10, align 8
  %32 = getelementptr inbounds ptr, ptr %31, i64 %29
  %33 = getelementptr inbounds %struct.Specialization, ptr %27, i64 0, i32 8, i32 1
  %34 = load i64, ptr %33, align 8
  %35 = getelementptr inbounds ptr, ptr %32, i64 %34
  store ptr %35, ptr %16, align 8
  %36 = getelementptr inbounds %struct.Specialization, ptr %27, i64 0, i32 8, i32 2
  %37 = load i64, ptr %36, align 8
  %38 = getelementptr inbounds i64, ptr %35, i64 %37
  store ptr %38, ptr %17, align 8
  %39 = getelementptr inbounds %struct.Specialization, ptr %27, i64 0, i32 8, i32 3
  %40 = load i64, ptr %39, align 8
  %41 = getelementptr inbounds i64, ptr %38, i64 %40
  store ptr %41, ptr %18, align 8
  store i64 0, ptr %19, align 8
  %42 = getelementptr inbounds %struct.Specialization, ptr %27, i64 0, i32 8, i32 13
  %43 = load ptr, ptr %42, align 8
  %44 = icmp eq ptr %43, %3
  br i1 %44, label %68, label %45

45:                                               ; preds = %24
  %46 = icmp ne ptr %43, null
  %47 = and i1 %20, %46
  br i1 %47, label %48, label %833

48:                                               ; preds = %45
  %49 = call i64 @PyTuple_Size(ptr noundef nonnull %3) #16
  %50 = call i64 @PyTuple_Size(ptr noundef nonnull %43) #16
  %51 = icmp eq i64 %49, %50
  br i1 %51, label %52, label %833

52:                                               ; preds = %48
  %53 = icmp slt i64 %49, 1
  br i1 %53, label %68, label %54

54:                                               ; preds = %52
  %55 = call ptr @PyTuple_GetItem(ptr noundef nonnull %3, i64 noundef 0) #16
  %56 = call ptr @PyTuple_GetItem(ptr noundef nonnull %43, i64 noundef 0) #16
  %57 = icmp eq ptr %55, %56
  br i1 %57, label %58, label %833

58:                                               ; preds = %54, %62
  %59 = phi i64 [ %60, %62 ], [ 0, %54 ]
  %60 = add nuw nsw i64 %59, 1
  %61 = icmp eq i64 %60, %49
  br i1 %61, label %66, label %62, !llvm.loop !18

62:                                               ; preds = %58
  %63 = call ptr @PyTuple_GetItem(ptr noundef nonnull %3, i64 noundef %60) #16
  %64 = call ptr @PyTuple_GetItem(ptr noundef nonnull %43, i64 noundef %60) #16
  %65 = icmp eq ptr %63, %64
  br i1 %65, label %58, label %66, !llvm.loop !18

66:                                               ; preds = %62, %58
  %67 = icmp slt i64 %60, %49
  br i1 %67, label %833, label %68

68:                                               ; preds = %52, %24, %66
  %69 = load i64, ptr %28, align 8
  %70 = icmp eq i64 %69, %2
  br i1 %70, label %71, label %833

71:                                               ; preds = %68
  br i1 %21, label %72, label %279

72:                                               ; preds = %71
  %73 = getelementptr inbounds %struct.Specialization, ptr %27, i64 0, i32 5
  %74 = getelementptr inbounds %struct.Specialization, ptr %27, i64 0, i32 7
  br label %75

75:                                               ; preds = %273, %72
  %76 = phi i64 [ 0, %72 ], [ %274, %273 ]
  %77 = phi i64 [ 0, %72 ], [ %275, %273 ]
  %78 = phi i64 [ 0, %72 ], [ %276, %273 ]
  %79 = load ptr, ptr %73, align 8
  %80 = getelementptr inbounds %struct.Argument, ptr %79, i64 %78
  %81 = getelementptr inbounds ptr, ptr %1, i64 %78
  %82 = load ptr, ptr %81, align 8
  %83 = load i8, ptr %80, align 8
  switch i8 %83, label %234 [
    i8 0, label %84
    i8 5, label %229
  ], !prof !19

84:                                               ; preds = %75
  %85 = add nsw i64 %77, 1
  %86 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 9), align 8
  %87 = getelementptr inbounds i8, ptr %82, i64 %86
  %88 = load ptr, ptr %87, align 8
  %89 = load ptr, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 4), align 8
  %90 = icmp eq ptr %88, %89
  br i1 %90, label %91, label %832

91:                                               ; preds = %84
  %92 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 11), align 8
  %93 = getelementptr inbounds i8, ptr %82, i64 %92
  %94 = load i32, ptr %93, align 4
  %95 = getelementptr inbounds %struct.Argument, ptr %79, i64 %78, i32 2
  %96 = load i8, ptr %95, align 2
  %97 = zext i8 %96 to i32
  %98 = icmp eq i32 %94, %97
  br i1 %98, label %99, label %832

99:                                               ; preds = %91
  %100 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 14), align 8
  %101 = getelementptr inbounds i8, ptr %82, i64 %100
  %102 = load ptr, ptr %101, align 8
  %103 = getelementptr inbounds %struct.Argument, ptr %79, i64 %78, i32 5
  %104 = load ptr, ptr %103, align 8
  %105 = icmp eq ptr %104, %102
  br i1 %105, label %124, label %106, !prof !17

106:                                              ; preds = %99
  %107 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 17), align 8
  %108 = getelementptr inbounds i8, ptr %102, i64 %107
  %109 = load i8, ptr %108, align 1
  %110 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 16), align 8
  %111 = getelementptr inbounds i8, ptr %102, i64 %110
  %112 = load i32, ptr %111, align 4
  %113 = getelementptr inbounds %struct.Argument, ptr %79, i64 %78, i32 4
  %114 = load i32, ptr %113, align 4
  %115 = icmp sgt i32 %114, -1
  br i1 %115, label %116, label %832

116:                                              ; preds = %106
  %117 = icmp eq i32 %112, %114
  br i1 %117, label %123, label %118

118:                                              ; preds = %116
  %119 = getelementptr inbounds %struct.Argument, ptr %79, i64 %78, i32 3
  %120 = load i8, ptr %119, align 1
  %121 = zext i8 %120 to i32
  %122 = icmp eq i32 %112, %121
  br i1 %122, label %123, label %832

123:                                              ; preds = %118, %116
  switch i8 %109, label %832 [
    i8 124, label %124
    i8 61, label %124
  ]

124:                                              ; preds = %123, %123, %99
  %125 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 15), align 8
  %126 = getelementptr inbounds i8, ptr %82, i64 %125
  %127 = load i32, ptr %126, align 4
  %128 = getelementptr inbounds %struct.Argument, ptr %79, i64 %78, i32 1
  %129 = load i8, ptr %128, align 1
  %130 = zext i8 %129 to i32
  %131 = and i32 %130, 1
  %132 = shl nuw nsw i32 %130, 9
  %133 = and i32 %132, 1024
  %134 = or i32 %133, %131
  %135 = xor i32 %134, 257
  %136 = and i32 %135, %127
  %137 = icmp eq i32 %136, %135
  br i1 %137, label %138, label %832

138:                                              ; preds = %124
  %139 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 12), align 8
  %140 = getelementptr inbounds i8, ptr %82, i64 %139
  %141 = load ptr, ptr %140, align 8
  %142 = load ptr, ptr %74, align 8
  %143 = getelementptr inbounds %struct.Argument, ptr %79, i64 %78, i32 6
  %144 = load i32, ptr %143, align 8
  %145 = sext i32 %144 to i64
  %146 = getelementptr inbounds i64, ptr %142, i64 %145
  %147 = getelementptr inbounds %struct.Argument, ptr %79, i64 %78, i32 8
  %148 = load i64, ptr %147, align 8
  %149 = icmp eq i8 %96, 0
  br i1 %149, label %180, label %150

150:                                              ; preds = %138, %172
  %151 = phi i8 [ %173, %172 ], [ %96, %138 ]
  %152 = phi i64 [ %174, %172 ], [ %148, %138 ]
  %153 = phi i64 [ %175, %172 ], [ 0, %138 ]
  %154 = getelementptr inbounds i64, ptr %141, i64 %153
  %155 = load i64, ptr %154, align 8
  %156 = getelementptr inbounds i64, ptr %146, i64 %153
  %157 = load i64, ptr %156, align 8
  %158 = icmp sgt i64 %157, -1
  br i1 %158, label %159, label %161

159:                                              ; preds = %150
  %160 = icmp eq i64 %155, %157
  br i1 %160, label %172, label %831

161:                                              ; preds = %150
  %162 = xor i64 %157, -1
  %163 = and i64 %162, 1
  %164 = icmp eq i64 %163, 0
  %165 = lshr i64 %162, 1
  %166 = getelementptr inbounds i64, ptr %35, i64 %165
  br i1 %164, label %167, label %169

167:                                              ; preds = %161
  store i64 %155, ptr %166, align 8
  %168 = load i8, ptr %95, align 2
  br label %172

169:                                              ; preds = %161
  %170 = load i64, ptr %166, align 8
  %171 = icmp eq i64 %170, %155
  br i1 %171, label %172, label %831

172:                                              ; preds = %169, %167, %159
  %173 = phi i8 [ %168, %167 ], [ %151, %169 ], [ %151, %159 ]
  %174 = mul nsw i64 %155, %152
  %175 = add nuw nsw i64 %153, 1
  %176 = zext i8 %173 to i64
  %177 = icmp ult i64 %175, %176
  br i1 %177, label %150, label %178, !llvm.loop !20

178:                                              ; preds = %172
  %179 = load i8, ptr %128, align 1
  br label %180

180:                                              ; preds = %178, %138
  %181 = phi i8 [ 0, %138 ], [ %173, %178 ]
  %182 = phi i8 [ %129, %138 ], [ %179, %178 ]
  %183 = phi i64 [ %148, %138 ], [ %174, %178 ]
  %184 = and i8 %182, 1
  %185 = icmp eq i8 %184, 0
  br i1 %185, label %223, label %186

186:                                              ; preds = %180
  %187 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 13), align 8
  %188 = getelementptr inbounds i8, ptr %82, i64 %187
  %189 = load ptr, ptr %188, align 8
  %190 = getelementptr inbounds %struct.Argument, ptr %79, i64 %78, i32 7
  %191 = load i32, ptr %190, align 4
  %192 = sext i32 %191 to i64
  %193 = getelementptr inbounds i64, ptr %35, i64 %192
  %194 = load i64, ptr %147, align 8
  %195 = icmp eq i8 %181, 0
  br i1 %195, label %223, label %196

196:                                              ; preds = %186
  %197 = call i64 @llvm.ctpop.i64(i64 %194), !range !21
  %198 = icmp ult i64 %197, 2
  %199 = call i64 @llvm.cttz.i64(i64 %194, i1 true), !range !21
  br label %200

200:                                              ; preds = %216, %196
  %201 = phi i64 [ 0, %196 ], [ %219, %216 ]
  %202 = getelementptr inbounds i64, ptr %141, i64 %201
  %203 = load i64, ptr %202, align 8
  %204 = icmp slt i64 %203, 2
  br i1 %204, label %216, label %205

205:                                              ; preds = %200
  %206 = getelementptr inbounds i64, ptr %189, i64 %201
  %207 = load i64, ptr %206, align 8
  br i1 %198, label %210, label %208

208:                                              ; preds = %205
  %209 = sdiv i64 %207, %194
  br label %212

210:                                              ; preds = %205
  %211 = ashr i64 %207, %199
  br label %212

212:                                              ; preds = %210, %208
  %213 = phi i64 [ %209, %208 ], [ %211, %210 ]
  %214 = mul nsw i64 %213, %194
  %215 = icmp eq i64 %214, %207
  br i1 %215, label %216, label %830

216:                                              ; preds = %212, %200
  %217 = phi i64 [ 0, %200 ], [ %213, %212 ]
  %218 = getelementptr inbounds i64, ptr %193, i64 %201
  store i64 %217, ptr %218, align 8
  %219 = add nuw nsw i64 %201, 1
  %220 = load i8, ptr %95, align 2
  %221 = zext i8 %220 to i64
  %222 = icmp ult i64 %219, %221
  br i1 %222, label %200, label %223, !llvm.loop !22

223:                                              ; preds = %216, %186, %180
  %224 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 10), align 8
  %225 = getelementptr inbounds i8, ptr %82, i64 %224
  %226 = load ptr, ptr %225, align 8
  %227 = getelementptr inbounds ptr, ptr %31, i64 %77
  store ptr %226, ptr %227, align 8
  %228 = add nsw i64 %76, %183
  br label %273

229:                                              ; preds = %75
  %230 = getelementptr inbounds %struct.Argument, ptr %79, i64 %78, i32 5
  %231 = load ptr, ptr %230, align 8
  %232 = call fastcc i32 @same_static(ptr noundef %82, ptr noundef %231) #17
  %233 = icmp eq i32 %232, 0
  br i1 %233, label %832, label %273

234:                                              ; preds = %75
  %235 = shl nsw i64 %78, 4
  %236 = getelementptr inbounds i8, ptr %4, i64 %235
  %237 = add nsw i64 %77, 1
  %238 = getelementptr inbounds ptr, ptr %31, i64 %77
  store ptr %236, ptr %238, align 8
  %239 = load i8, ptr %80, align 8
  switch i8 %239, label %263 [
    i8 1, label %240
    i8 2, label %247
    i8 3, label %256
  ]

240:                                              ; preds = %234
  %241 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 9), align 8
  %242 = getelementptr inbounds i8, ptr %82, i64 %241
  %243 = load ptr, ptr %242, align 8
  %244 = icmp eq ptr %243, @PyFloat_Type
  br i1 %244, label %245, label %832

245:                                              ; preds = %240
  %246 = call double @PyFloat_AsDouble(ptr noundef nonnull %82) #16
  store double %246, ptr %236, align 8
  br label %273

247:                                              ; preds = %234
  call void @llvm.lifetime.start.p0(i64 4, ptr nonnull %9) #18
  store i32 0, ptr %9, align 4
  %248 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 9), align 8
  %249 = getelementptr inbounds i8, ptr %82, i64 %248
  %250 = load ptr, ptr %249, align 8
  %251 = icmp eq ptr %250, @PyLong_Type
  br i1 %251, label %252, label %272

252:                                              ; preds = %247
  %253 = call i64 @PyLong_AsLongLongAndOverflow(ptr noundef nonnull %82, ptr noundef nonnull %9) #16
  store i64 %253, ptr %236, align 8
  %254 = load i32, ptr %9, align 4
  %255 = icmp eq i32 %254, 0
  call void @llvm.lifetime.end.p0(i64 4, ptr nonnull %9) #18
  br i1 %255, label %273, label %832

256:                                              ; preds = %234
  %257 = icmp ne ptr %82, @_Py_TrueStruct
  %258 = icmp ne ptr %82, @_Py_FalseStruct
  %259 = and i1 %257, %258
  br i1 %259, label %832, label %260

260:                                              ; preds = %256
  %261 = icmp eq ptr %82, @_Py_TrueStruct
  %262 = zext i1 %261 to i64
  store i64 %262, ptr %236, align 8
  br label %273

263:                                              ; preds = %234
  %264 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 9), align 8
  %265 = getelementptr inbounds i8, ptr %82, i64 %264
  %266 = load ptr, ptr %265, align 8
  %267 = icmp eq ptr %266, @PyComplex_Type
  br i1 %267, label %268, label %832

268:                                              ; preds = %263
  %269 = call double @PyComplex_RealAsDouble(ptr noundef nonnull %82) #16
  store double %269, ptr %236, align 8
  %270 = call double @PyComplex_ImagAsDouble(ptr noundef nonnull %82) #16
  %271 = getelementptr inbounds double, ptr %236, i64 1
  store double %270, ptr %271, align 8
  br label %273

272:                                              ; preds = %247
  store i64 %76, ptr %19, align 8
  call void @llvm.lifetime.end.p0(i64 4, ptr nonnull %9) #18
  br label %833

273:                                              ; preds = %268, %260, %252, %245, %229, %223
  %274 = phi i64 [ %76, %229 ], [ %228, %223 ], [ %76, %252 ], [ %76, %268 ], [ %76, %260 ], [ %76, %245 ]
  %275 = phi i64 [ %77, %229 ], [ %85, %223 ], [ %237, %252 ], [ %237, %268 ], [ %237, %260 ], [ %237, %245 ]
  %276 = add nuw nsw i64 %78, 1
  %277 = icmp eq i64 %276, %2
  br i1 %277, label %278, label %75, !llvm.loop !23

278:                                              ; preds = %273
  store i64 %274, ptr %19, align 8
  br label %279

279:                                              ; preds = %278, %71
  %280 = getelementptr inbounds %struct.Specialization, ptr %27, i64 0, i32 8, i32 4
  %281 = load i64, ptr %280, align 8
  %282 = icmp eq i64 %281, 0
  br i1 %282, label %490, label %283

283:                                              ; preds = %279
  %284 = load i64, ptr %28, align 8
  %285 = icmp sgt i64 %284, 0
  br i1 %285, label %286, label %490

286:                                              ; preds = %283
  %287 = getelementptr inbounds %struct.Specialization, ptr %27, i64 0, i32 5
  %288 = load ptr, ptr %287, align 8
  %289 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 12), align 8
  %290 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 13), align 8
  %291 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 10), align 8
  br label %292

292:                                              ; preds = %484, %286
  %293 = phi i1 [ true, %286 ], [ %486, %484 ]
  %294 = phi i64 [ 0, %286 ], [ %485, %484 ]
  %295 = getelementptr inbounds %struct.Argument, ptr %288, i64 %294, i32 1
  %296 = load i8, ptr %295, align 1
  %297 = and i8 %296, 2
  %298 = icmp eq i8 %297, 0
  br i1 %298, label %484, label %299

299:                                              ; preds = %292
  %300 = getelementptr inbounds ptr, ptr %1, i64 %294
  %301 = load ptr, ptr %300, align 8
  %302 = getelementptr inbounds i8, ptr %301, i64 %289
  %303 = load ptr, ptr %302, align 8
  %304 = getelementptr inbounds i8, ptr %301, i64 %290
  %305 = load ptr, ptr %304, align 8
  %306 = getelementptr inbounds i8, ptr %301, i64 %291
  %307 = load ptr, ptr %306, align 8
  %308 = getelementptr inbounds %struct.Argument, ptr %288, i64 %294, i32 2
  %309 = load i8, ptr %308, align 2
  %310 = zext i8 %309 to i64
  %311 = icmp eq i8 %309, 0
  br i1 %311, label %312, label %319

312:                                              ; preds = %299
  %313 = getelementptr inbounds %struct.Argument, ptr %288, i64 %294, i32 8
  %314 = load i64, ptr %313, align 8
  %315 = getelementptr inbounds i8, ptr %307, i64 %314
  br label %382

316:                                              ; preds = %319
  %317 = add nuw nsw i64 %320, 1
  %318 = icmp eq i64 %317, %310
  br i1 %318, label %324, label %319, !llvm.loop !24

319:                                              ; preds = %299, %316
  %320 = phi i64 [ %317, %316 ], [ 0, %299 ]
  %321 = getelementptr inbounds i64, ptr %303, i64 %320
  %322 = load i64, ptr %321, align 8
  %323 = icmp eq i64 %322, 0
  br i1 %323, label %382, label %316

324:                                              ; preds = %316
  %325 = getelementptr inbounds %struct.Argument, ptr %288, i64 %294, i32 8
  %326 = load i64, ptr %325, align 8
  %327 = getelementptr inbounds i8, ptr %307, i64 %326
  %328 = and i64 %310, 1
  %329 = icmp eq i8 %309, 1
  br i1 %329, label %363, label %330

330:                                              ; preds = %324
  %331 = and i64 %310, 254
  br label %332

332:                                              ; preds = %332, %330
  %333 = phi ptr [ %307, %330 ], [ %358, %332 ]
  %334 = phi ptr [ %327, %330 ], [ %359, %332 ]
  %335 = phi i64 [ 0, %330 ], [ %360, %332 ]
  %336 = phi i64 [ 0, %330 ], [ %361, %332 ]
  %337 = getelementptr inbounds i64, ptr %303, i64 %335
  %338 = load i64, ptr %337, align 8
  %339 = add nsw i64 %338, -1
  %340 = getelementptr inbounds i64, ptr %305, i64 %335
  %341 = load i64, ptr %340, align 8
  %342 = mul nsw i64 %339, %341
  %343 = icmp slt i64 %342, 0
  %344 = select i1 %343, ptr %333, ptr %334
  %345 = getelementptr inbounds i8, ptr %344, i64 %342
  %346 = select i1 %343, ptr %345, ptr %333
  %347 = select i1 %343, ptr %334, ptr %345
  %348 = or i64 %335, 1
  %349 = getelementptr inbounds i64, ptr %303, i64 %348
  %350 = load i64, ptr %349, align 8
  %351 = add nsw i64 %350, -1
  %352 = getelementptr inbounds i64, ptr %305, i64 %348
  %353 = load i64, ptr %352, align 8
  %354 = mul nsw i64 %351, %353
  %355 = icmp slt i64 %354, 0
  %356 = select i1 %355, ptr %346, ptr %347
  %357 = getelementptr inbounds i8, ptr %356, i64 %354
  %358 = select i1 %355, ptr %357, ptr %346
  %359 = select i1 %355, ptr %347, ptr %357
  %360 = add nuw nsw i64 %335, 2
  %361 = add i64 %336, 2
  %362 = icmp eq i64 %361, %331
  br i1 %362, label %363, label %332, !llvm.loop !25

363:                                              ; preds = %332, %324
  %364 = phi ptr [ undef, %324 ], [ %358, %332 ]
  %365 = phi ptr [ undef, %324 ], [ %359, %332 ]
  %366 = phi ptr [ %307, %324 ], [ %358, %332 ]
  %367 = phi ptr [ %327, %324 ], [ %359, %332 ]
  %368 = phi i64 [ 0, %324 ], [ %360, %332 ]
  %369 = icmp eq i64 %328, 0
  br i1 %369, label %382, label %370

370:                                              ; preds = %363
  %371 = getelementptr inbounds i64, ptr %303, i64 %368
  %372 = load i64, ptr %371, align 8
  %373 = add nsw i64 %372, -1
  %374 = getelementptr inbounds i64, ptr %305, i64 %368
  %375 = load i64, ptr %374, align 8
  %376 = mul nsw i64 %373, %375
  %377 = icmp slt i64 %376, 0
  %378 = select i1 %377, ptr %366, ptr %367
  %379 = getelementptr inbounds i8, ptr %378, i64 %376
  %380 = select i1 %377, ptr %379, ptr %366
  %381 = select i1 %377, ptr %367, ptr %379
  br label %382

382:                                              ; preds = %319, %370, %363, %312
  %383 = phi ptr [ %307, %312 ], [ %364, %363 ], [ %380, %370 ], [ %307, %319 ]
  %384 = phi ptr [ %315, %312 ], [ %365, %363 ], [ %381, %370 ], [ %307, %319 ]
  br label %385

385:                                              ; preds = %481, %382
  %386 = phi i64 [ %482, %481 ], [ 0, %382 ]
  %387 = icmp eq i64 %386, %294
  br i1 %387, label %481, label %388

388:                                              ; preds = %385
  %389 = getelementptr inbounds %struct.Argument, ptr %288, i64 %386
  %390 = load i8, ptr %389, align 8
  %391 = icmp eq i8 %390, 0
  br i1 %391, label %392, label %481

392:                                              ; preds = %388
  %393 = getelementptr inbounds ptr, ptr %1, i64 %386
  %394 = load ptr, ptr %393, align 8
  %395 = getelementptr inbounds i8, ptr %394, i64 %289
  %396 = load ptr, ptr %395, align 8
  %397 = getelementptr inbounds i8, ptr %394, i64 %290
  %398 = load ptr, ptr %397, align 8
  %399 = getelementptr inbounds i8, ptr %394, i64 %291
  %400 = load ptr, ptr %399, align 8
  %401 = getelementptr inbounds %struct.Argument, ptr %288, i64 %386, i32 2
  %402 = load i8, ptr %401, align 2
  %403 = zext i8 %402 to i64
  %404 = icmp eq i8 %402, 0
  br i1 %404, label %405, label %412

405:                                              ; preds = %392
  %406 = getelementptr inbounds %struct.Argument, ptr %288, i64 %386, i32 8
  %407 = load i64, ptr %406, align 8
  %408 = getelementptr inbounds i8, ptr %400, i64 %407
  br label %475

409:                                              ; preds = %412
  %410 = add nuw nsw i64 %413, 1
  %411 = icmp eq i64 %410, %403
  br i1 %411, label %417, label %412, !llvm.loop !24

412:                                              ; preds = %392, %409
  %413 = phi i64 [ %410, %409 ], [ 0, %392 ]
  %414 = getelementptr inbounds i64, ptr %396, i64 %413
  %415 = load i64, ptr %414, align 8
  %416 = icmp eq i64 %415, 0
  br i1 %416, label %475, label %409

417:                                              ; preds = %409
  %418 = getelementptr inbounds %struct.Argument, ptr %288, i64 %386, i32 8
  %419 = load i64, ptr %418, align 8
  %420 = getelementptr inbounds i8, ptr %400, i64 %419
  %421 = and i64 %403, 1
  %422 = icmp eq i8 %402, 1
  br i1 %422, label %456, label %423

423:                                              ; preds = %417
  %424 = and i64 %403, 254
  br label %425

425:                                              ; preds = %425, %423
  %426 = phi ptr [ %400, %423 ], [ %451, %425 ]
  %427 = phi ptr [ %420, %423 ], [ %452, %425 ]
  %428 = phi i64 [ 0, %423 ], [ %453, %425 ]
  %429 = phi i64 [ 0, %423 ], [ %454, %425 ]
  %430 = getelementptr inbounds i64, ptr %396, i64 %428
  %431 = load i64, ptr %430, align 8
  %432 = add nsw i64 %431, -1
  %433 = getelementptr inbounds i64, ptr %398, i64 %428
  %434 = load i64, ptr %433, align 8
  %435 = mul nsw i64 %432, %434
  %436 = icmp slt i64 %435, 0
  %437 = select i1 %436, ptr %426, ptr %427
  %438 = getelementptr inbounds i8, ptr %437, i64 %435
  %439 = select i1 %436, ptr %438, ptr %426
  %440 = select i1 %436, ptr %427, ptr %438
  %441 = or i64 %428, 1
  %442 = getelementptr inbounds i64, ptr %396, i64 %441
  %443 = load i64, ptr %442, align 8
  %444 = add nsw i64 %443, -1
  %445 = getelementptr inbounds i64, ptr %398, i64 %441
  %446 = load i64, ptr %445, align 8
  %447 = mul nsw i64 %444, %446
  %448 = icmp slt i64 %447, 0
  %449 = select i1 %448, ptr %439, ptr %440
  %450 = getelementptr inbounds i8, ptr %449, i64 %447
  %451 = select i1 %448, ptr %450, ptr %439
  %452 = select i1 %448, ptr %440, ptr %450
  %453 = add nuw nsw i64 %428, 2
  %454 = add i64 %429, 2
  %455 = icmp eq i64 %454, %424
  br i1 %455, label %456, label %425, !llvm.loop !25

456:                                              ; preds = %425, %417
  %457 = phi ptr [ undef, %417 ], [ %451, %425 ]
  %458 = phi ptr [ undef, %417 ], [ %452, %425 ]
  %459 = phi ptr [ %400, %417 ], [ %451, %425 ]
  %460 = phi ptr [ %420, %417 ], [ %452, %425 ]
  %461 = phi i64 [ 0, %417 ], [ %453, %425 ]
  %462 = icmp eq i64 %421, 0
  br i1 %462, label %475, label %463

463:                                              ; preds = %456
  %464 = getelementptr inbounds i64, ptr %396, i64 %461
  %465 = load i64, ptr %464, align 8
  %466 = add nsw i64 %465, -1
  %467 = getelementptr inbounds i64, ptr %398, i64 %461
  %468 = load i64, ptr %467, align 8
  %469 = mul nsw i64 %466, %468
  %470 = icmp slt i64 %469, 0
  %471 = select i1 %470, ptr %459, ptr %460
  %472 = getelementptr inbounds i8, ptr %471, i64 %469
  %473 = select i1 %470, ptr %472, ptr %459
  %474 = select i1 %470, ptr %460, ptr %472
  br label %475

475:                                              ; preds = %412, %463, %456, %405
  %476 = phi ptr [ %400, %405 ], [ %457, %456 ], [ %473, %463 ], [ %400, %412 ]
  %477 = phi ptr [ %408, %405 ], [ %458, %456 ], [ %474, %463 ], [ %400, %412 ]
  %478 = icmp ult ptr %476, %384
  %479 = icmp ult ptr %383, %477
  %480 = select i1 %478, i1 %479, i1 false
  br i1 %480, label %488, label %481

481:                                              ; preds = %475, %388, %385
  %482 = add nuw nsw i64 %386, 1
  %483 = icmp eq i64 %482, %284
  br i1 %483, label %484, label %385, !llvm.loop !26

484:                                              ; preds = %481, %292
  %485 = add nuw nsw i64 %294, 1
  %486 = icmp slt i64 %485, %284
  %487 = icmp eq i64 %485, %284
  br i1 %487, label %488, label %292, !llvm.loop !27

488:                                              ; preds = %484, %475
  %489 = phi i1 [ %293, %475 ], [ %486, %484 ]
  br i1 %489, label %833, label %490

490:                                              ; preds = %283, %279, %488
  %491 = getelementptr inbounds %struct.Specialization, ptr %27, i64 0, i32 8, i32 11
  %492 = load ptr, ptr %491, align 8
  %493 = icmp eq ptr %492, null
  br i1 %493, label %506, label %494

494:                                              ; preds = %490
  %495 = call i64 %492(ptr noundef %35, ptr noundef %38) #16
  %496 = load i64, ptr %39, align 8
  %497 = icmp sgt i64 %496, 0
  br i1 %497, label %501, label %558

498:                                              ; preds = %501
  %499 = add nuw nsw i64 %502, 1
  %500 = icmp eq i64 %499, %496
  br i1 %500, label %558, label %501, !llvm.loop !28

501:                                              ; preds = %494, %498
  %502 = phi i64 [ %499, %498 ], [ 0, %494 ]
  %503 = getelementptr inbounds i64, ptr %38, i64 %502
  %504 = load i64, ptr %503, align 8
  %505 = icmp slt i64 %504, 0
  br i1 %505, label %833, label %498

506:                                              ; preds = %490
  %507 = load i64, ptr %33, align 8
  %508 = icmp sgt i64 %507, 0
  br i1 %508, label %509, label %513

509:                                              ; preds = %506
  %510 = getelementptr inbounds %struct.Specialization, ptr %27, i64 0, i32 7
  %511 = getelementptr inbounds %struct.Specialization, ptr %27, i64 0, i32 6
  %512 = load ptr, ptr %511, align 8
  br label %516

513:                                              ; preds = %531, %506
  %514 = getelementptr inbounds %struct.Specialization, ptr %27, i64 0, i32 8, i32 6
  %515 = load i64, ptr %514, align 8
  br label %558

516:                                              ; preds = %531, %509
  %517 = phi i64 [ %507, %509 ], [ %532, %531 ]
  %518 = phi ptr [ %512, %509 ], [ %533, %531 ]
  %519 = phi i64 [ 0, %509 ], [ %535, %531 ]
  %520 = phi ptr [ %38, %509 ], [ %534, %531 ]
  %521 = load ptr, ptr %510, align 8
  %522 = getelementptr inbounds %struct.Output, ptr %518, i64 %519, i32 5
  %523 = load i32, ptr %522, align 8
  %524 = sext i32 %523 to i64
  %525 = getelementptr inbounds i64, ptr %521, i64 %524
  %526 = getelementptr inbounds %struct.Output, ptr %518, i64 %519, i32 1
  %527 = load i8, ptr %526, align 1
  %528 = icmp eq i8 %527, 0
  br i1 %528, label %531, label %537

529:                                              ; preds = %549
  %530 = load i64, ptr %33, align 8
  br label %531

531:                                              ; preds = %529, %516
  %532 = phi i64 [ %517, %516 ], [ %530, %529 ]
  %533 = phi ptr [ %518, %516 ], [ %553, %529 ]
  %534 = phi ptr [ %520, %516 ], [ %551, %529 ]
  %535 = add nuw nsw i64 %519, 1
  %536 = icmp slt i64 %535, %532
  br i1 %536, label %516, label %513, !llvm.loop !29

537:                                              ; preds = %516, %549
  %538 = phi i64 [ %552, %549 ], [ 0, %516 ]
  %539 = phi ptr [ %551, %549 ], [ %520, %516 ]
  %540 = getelementptr inbounds i64, ptr %525, i64 %538
  %541 = load i64, ptr %540, align 8
  %542 = icmp sgt i64 %541, -1
  br i1 %542, label %549, label %543

543:                                              ; preds = %537
  %544 = load ptr, ptr %16, align 8
  %545 = xor i64 %541, -1
  %546 = lshr i64 %545, 1
  %547 = getelementptr inbounds i64, ptr %544, i64 %546
  %548 = load i64, ptr %547, align 8
  br label %549

549:                                              ; preds = %543, %537
  %550 = phi i64 [ %548, %543 ], [ %541, %537 ]
  %551 = getelementptr inbounds i64, ptr %539, i64 1
  store i64 %550, ptr %539, align 8
  %552 = add nuw nsw i64 %538, 1
  %553 = load ptr, ptr %511, align 8
  %554 = getelementptr inbounds %struct.Output, ptr %553, i64 %519, i32 1
  %555 = load i8, ptr %554, align 1
  %556 = zext i8 %555 to i64
  %557 = icmp ult i64 %552, %556
  br i1 %557, label %537, label %529, !llvm.loop !30

558:                                              ; preds = %498, %494, %513
  %559 = phi i64 [ %515, %513 ], [ %495, %494 ], [ %495, %498 ]
  %560 = icmp slt i64 %559, 0
  br i1 %560, label %833, label %561

561:                                              ; preds = %558
  %562 = inttoptr i64 %26 to ptr
  %563 = icmp eq ptr %25, null
  br i1 %563, label %569, label %564, !prof !17

564:                                              ; preds = %561
  %565 = load ptr, ptr %562, align 8
  %566 = ptrtoint ptr %565 to i64
  store atomic i64 %566, ptr %25 release, align 8
  %567 = load ptr, ptr %11, align 8
  %568 = ptrtoint ptr %567 to i64
  store atomic i64 %568, ptr %562 release, align 8
  store atomic i64 %26, ptr %11 release, align 8
  br label %569

569:                                              ; preds = %564, %561
  %570 = getelementptr inbounds %struct.Specialization, ptr %562, i64 0, i32 3
  %571 = load i64, ptr %570, align 8
  %572 = add nsw i64 %571, 1
  store i64 %572, ptr %570, align 8
  store i32 1, ptr %5, align 4
  call void @llvm.lifetime.start.p0(i64 4096, ptr nonnull %7) #18
  call void @llvm.lifetime.start.p0(i64 24, ptr nonnull %8) #18
  store ptr @runtime_parallel_for, ptr %8, align 8
  %573 = load atomic i32, ptr @gc_workers acquire, align 4
  %574 = freeze i32 %573
  %575 = sext i32 %574 to i64
  store i64 %575, ptr %22, align 8
  store i64 1, ptr %23, align 8
  %576 = getelementptr inbounds %struct.Specialization, ptr %562, i64 0, i32 8, i32 7
  %577 = load i64, ptr %576, align 8
  %578 = mul nsw i64 %577, %575
  %579 = add nsw i64 %578, %559
  %580 = icmp sgt i64 %579, 0
  br i1 %580, label %581, label %588

581:                                              ; preds = %569
  %582 = icmp ult i64 %579, 4097
  br i1 %582, label %588, label %583

583:                                              ; preds = %581
  %584 = call ptr @gc_block_take(i64 noundef %579) #17
  %585 = icmp eq ptr %584, null
  br i1 %585, label %586, label %588, !prof !7

586:                                              ; preds = %583
  %587 = call fastcc ptr @out_of_memory(i64 noundef %579) #17
  call void @llvm.lifetime.end.p0(i64 24, ptr nonnull %8) #18
  call void @llvm.lifetime.end.p0(i64 4096, ptr nonnull %7) #18
  br label %839

588:                                              ; preds = %583, %581, %569
  %589 = phi ptr [ %584, %583 ], [ null, %569 ], [ %7, %581 ]
  %590 = load i64, ptr %33, align 8
  %591 = icmp slt i64 %590, 1
  br i1 %591, label %592, label %594

592:                                              ; preds = %588
  %593 = load i64, ptr %19, align 8
  br label %709

594:                                              ; preds = %588
  %595 = load ptr, ptr %17, align 8
  %596 = getelementptr inbounds %struct.Specialization, ptr %562, i64 0, i32 6
  %597 = getelementptr inbounds %struct.Specialization, ptr %562, i64 0, i32 8, i32 9
  %598 = load i64, ptr %19, align 8
  %599 = load ptr, ptr %18, align 8
  %600 = load ptr, ptr %10, align 8
  br label %601

601:                                              ; preds = %692, %594
  %602 = phi i64 [ %598, %594 ], [ %694, %692 ]
  %603 = phi i64 [ 0, %594 ], [ %699, %692 ]
  %604 = phi ptr [ %595, %594 ], [ %698, %692 ]
  %605 = load ptr, ptr %596, align 8
  %606 = getelementptr inbounds %struct.Output, ptr %605, i64 %603, i32 3
  %607 = load i32, ptr %606, align 4
  %608 = icmp sgt i32 %607, -1
  br i1 %608, label %609, label %615

609:                                              ; preds = %601
  %610 = zext i32 %607 to i64
  %611 = getelementptr inbounds ptr, ptr %1, i64 %610
  %612 = load ptr, ptr %611, align 8
  %613 = getelementptr inbounds ptr, ptr %599, i64 %603
  store ptr %612, ptr %613, align 8
  call void @Py_IncRef(ptr noundef %612) #16
  %614 = load ptr, ptr %613, align 8
  br label %692

615:                                              ; preds = %601
  %616 = getelementptr inbounds %struct.Output, ptr %605, i64 %603, i32 7
  %617 = load i64, ptr %616, align 8
  %618 = getelementptr inbounds %struct.Output, ptr %605, i64 %603, i32 1
  %619 = load i8, ptr %618, align 1
  %620 = zext i8 %619 to i64
  %621 = icmp eq i8 %619, 0
  br i1 %621, label %639, label %622

622:                                              ; preds = %615
  %623 = and i64 %620, 1
  %624 = icmp eq i8 %619, 1
  br i1 %624, label %627, label %625

625:                                              ; preds = %622
  %626 = and i64 %620, 254
  br label %670

627:                                              ; preds = %670, %622
  %628 = phi i64 [ undef, %622 ], [ %686, %670 ]
  %629 = phi i64 [ 0, %622 ], [ %687, %670 ]
  %630 = phi i64 [ %617, %622 ], [ %686, %670 ]
  %631 = icmp eq i64 %623, 0
  br i1 %631, label %639, label %632

632:                                              ; preds = %627
  %633 = getelementptr inbounds i64, ptr %604, i64 %629
  %634 = load i64, ptr %633, align 8
  %635 = call { i64, i1 } @llvm.smul.with.overflow.i64(i64 %630, i64 %634)
  %636 = extractvalue { i64, i1 } %635, 1
  %637 = extractvalue { i64, i1 } %635, 0
  %638 = select i1 %636, i64 0, i64 %637
  br label %639

639:                                              ; preds = %632, %627, %615
  %640 = phi i64 [ %617, %615 ], [ %628, %627 ], [ %638, %632 ]
  %641 = getelementptr inbounds %struct.Output, ptr %605, i64 %603, i32 4
  %642 = load ptr, ptr %641, align 8
  %643 = load ptr, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 5), align 8
  %644 = load ptr, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 6), align 8
  call void @Py_IncRef(ptr noundef %642) #16
  %645 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 3), align 8
  %646 = icmp sgt i64 %645, %640
  %647 = load ptr, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 8), align 8
  %648 = icmp eq ptr %647, null
  %649 = select i1 %646, i1 true, i1 %648
  br i1 %649, label %650, label %654, !prof !17

650:                                              ; preds = %639
  %651 = load ptr, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 4), align 8
  %652 = zext i8 %619 to i32
  %653 = call ptr %643(ptr noundef %651, ptr noundef %642, i32 noundef %652, ptr noundef %604, ptr noundef null, ptr noundef null, i32 noundef 0, ptr noundef null) #16
  br label %666

654:                                              ; preds = %639
  %655 = call ptr %644(ptr noundef nonnull %647) #16
  %656 = icmp eq ptr %655, null
  br i1 %656, label %657, label %659

657:                                              ; preds = %654
  store i64 %602, ptr %19, align 8
  call void @Py_DecRef(ptr noundef %642) #16
  %658 = getelementptr inbounds ptr, ptr %599, i64 %603
  store ptr null, ptr %658, align 8
  br label %731

659:                                              ; preds = %654
  %660 = load ptr, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 4), align 8
  %661 = zext i8 %619 to i32
  %662 = call ptr %643(ptr noundef %660, ptr noundef %642, i32 noundef %661, ptr noundef %604, ptr noundef null, ptr noundef null, i32 noundef 0, ptr noundef null) #16
  %663 = call ptr %644(ptr noundef nonnull %655) #16
  call void @Py_DecRef(ptr noundef nonnull %655) #16
  %664 = icmp eq ptr %663, null
  br i1 %664, label %666, label %665

665:                                              ; preds = %659
  call void @Py_DecRef(ptr noundef nonnull %663) #16
  br label %666

666:                                              ; preds = %665, %659, %650
  %667 = phi ptr [ %653, %650 ], [ %662, %665 ], [ %662, %659 ]
  %668 = getelementptr inbounds ptr, ptr %599, i64 %603
  store ptr %667, ptr %668, align 8
  %669 = icmp eq ptr %667, null
  br i1 %669, label %730, label %690

670:                                              ; preds = %670, %625
  %671 = phi i64 [ 0, %625 ], [ %687, %670 ]
  %672 = phi i64 [ %617, %625 ], [ %686, %670 ]
  %673 = phi i64 [ 0, %625 ], [ %688, %670 ]
  %674 = getelementptr inbounds i64, ptr %604, i64 %671
  %675 = load i64, ptr %674, align 8
  %676 = call { i64, i1 } @llvm.smul.with.overflow.i64(i64 %672, i64 %675)
  %677 = extractvalue { i64, i1 } %676, 1
  %678 = extractvalue { i64, i1 } %676, 0
  %679 = select i1 %677, i64 0, i64 %678
  %680 = or i64 %671, 1
  %681 = getelementptr inbounds i64, ptr %604, i64 %680
  %682 = load i64, ptr %681, align 8
  %683 = call { i64, i1 } @llvm.smul.with.overflow.i64(i64 %679, i64 %682)
  %684 = extractvalue { i64, i1 } %683, 1
  %685 = extractvalue { i64, i1 } %683, 0
  %686 = select i1 %684, i64 0, i64 %685
  %687 = add nuw nsw i64 %671, 2
  %688 = add i64 %673, 2
  %689 = icmp eq i64 %688, %626
  br i1 %689, label %627, label %670, !llvm.loop !31

690:                                              ; preds = %666
  %691 = add nsw i64 %602, %640
  br label %692

692:                                              ; preds = %690, %609
  %693 = phi ptr [ %667, %690 ], [ %614, %609 ]
  %694 = phi i64 [ %691, %690 ], [ %602, %609 ]
  %695 = getelementptr inbounds %struct.Output, ptr %605, i64 %603, i32 1
  %696 = load i8, ptr %695, align 1
  %697 = zext i8 %696 to i64
  %698 = getelementptr inbounds i64, ptr %604, i64 %697
  %699 = add nuw nsw i64 %603, 1
  %700 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 10), align 8
  %701 = getelementptr inbounds i8, ptr %693, i64 %700
  %702 = load ptr, ptr %701, align 8
  %703 = load i64, ptr %597, align 8
  %704 = add nsw i64 %703, %603
  %705 = getelementptr inbounds ptr, ptr %600, i64 %704
  store ptr %702, ptr %705, align 8
  %706 = load i64, ptr %33, align 8
  %707 = icmp slt i64 %699, %706
  br i1 %707, label %601, label %708, !llvm.loop !32

708:                                              ; preds = %692
  store i64 %694, ptr %19, align 8
  br label %709

709:                                              ; preds = %592, %708
  %710 = phi i64 [ %593, %592 ], [ %694, %708 ]
  %711 = phi i64 [ 0, %592 ], [ %699, %708 ]
  %712 = getelementptr inbounds %struct.Specialization, ptr %562, i64 0, i32 8, i32 8
  %713 = load i64, ptr %712, align 8
  %714 = icmp slt i64 %713, 0
  %715 = icmp slt i64 %710, %713
  %716 = select i1 %714, i1 true, i1 %715
  br i1 %716, label %724, label %717

717:                                              ; preds = %709
  %718 = call ptr @PyEval_SaveThread() #16
  %719 = getelementptr inbounds %struct.Specialization, ptr %562, i64 0, i32 8, i32 10
  %720 = load ptr, ptr %719, align 8
  %721 = load ptr, ptr %10, align 8
  %722 = load ptr, ptr %16, align 8
  %723 = call i64 %720(ptr noundef %721, ptr noundef %722, ptr noundef %589, ptr noundef nonnull %8) #16
  call void @PyEval_RestoreThread(ptr noundef %718) #16
  br label %731

724:                                              ; preds = %709
  %725 = getelementptr inbounds %struct.Specialization, ptr %562, i64 0, i32 8, i32 10
  %726 = load ptr, ptr %725, align 8
  %727 = load ptr, ptr %10, align 8
  %728 = load ptr, ptr %16, align 8
  %729 = call i64 %726(ptr noundef %727, ptr noundef %728, ptr noundef %589, ptr noundef nonnull %8) #16
  br label %731

730:                                              ; preds = %666
  store i64 %602, ptr %19, align 8
  br label %731

731:                                              ; preds = %730, %724, %717, %657
  %732 = phi i1 [ true, %717 ], [ true, %724 ], [ false, %657 ], [ false, %730 ]
  %733 = phi i64 [ %711, %717 ], [ %711, %724 ], [ %603, %657 ], [ %603, %730 ]
  %734 = phi i64 [ %723, %717 ], [ %729, %724 ], [ 0, %657 ], [ 0, %730 ]
  %735 = icmp ne ptr %589, null
  %736 = icmp ne ptr %589, %7
  %737 = and i1 %735, %736
  br i1 %737, label %738, label %739

738:                                              ; preds = %731
  call void @gc_block_give(ptr noundef nonnull %589) #17
  br label %739

739:                                              ; preds = %738, %731
  %740 = icmp eq i64 %734, 0
  %741 = select i1 %732, i1 %740, i1 false, !prof !17
  br i1 %741, label %742, label %818, !prof !17

742:                                              ; preds = %739
  %743 = load i64, ptr %33, align 8
  %744 = load ptr, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 7), align 8
  %745 = icmp sgt i64 %743, 0
  br i1 %745, label %746, label %773

746:                                              ; preds = %742
  %747 = getelementptr inbounds %struct.Specialization, ptr %562, i64 0, i32 6
  %748 = load ptr, ptr %18, align 8
  br label %749

749:                                              ; preds = %770, %746
  %750 = phi i64 [ 0, %746 ], [ %771, %770 ]
  %751 = load ptr, ptr %747, align 8
  %752 = getelementptr inbounds %struct.Output, ptr %751, i64 %750
  %753 = load i8, ptr %752, align 8
  %754 = and i8 %753, 1
  %755 = icmp eq i8 %754, 0
  br i1 %755, label %770, label %756, !prof !17

756:                                              ; preds = %749
  %757 = getelementptr inbounds ptr, ptr %748, i64 %750
  %758 = load ptr, ptr %757, align 8
  %759 = call ptr %744(ptr noundef %758) #16
  store ptr %759, ptr %757, align 8
  %760 = icmp eq ptr %759, null
  br i1 %760, label %761, label %770

761:                                              ; preds = %756, %767
  %762 = phi i64 [ %768, %767 ], [ 0, %756 ]
  %763 = icmp eq i64 %762, %750
  br i1 %763, label %767, label %764

764:                                              ; preds = %761
  %765 = getelementptr inbounds ptr, ptr %748, i64 %762
  %766 = load ptr, ptr %765, align 8
  call void @Py_DecRef(ptr noundef %766) #16
  br label %767

767:                                              ; preds = %764, %761
  %768 = add nuw nsw i64 %762, 1
  %769 = icmp eq i64 %768, %743
  br i1 %769, label %836, label %761, !llvm.loop !33

770:                                              ; preds = %756, %749
  %771 = add nuw nsw i64 %750, 1
  %772 = icmp eq i64 %771, %743
  br i1 %772, label %773, label %749, !llvm.loop !34

773:                                              ; preds = %770, %742
  %774 = getelementptr inbounds %struct.Specialization, ptr %562, i64 0, i32 8, i32 5
  %775 = load i64, ptr %774, align 8
  switch i64 %775, label %794 [
    i64 0, label %776
    i64 1, label %779
  ]

776:                                              ; preds = %773
  %777 = load ptr, ptr %18, align 8
  %778 = load ptr, ptr %777, align 8
  br label %836

779:                                              ; preds = %773
  %780 = call ptr @PyTuple_New(i64 noundef %743) #16
  br i1 %745, label %781, label %836

781:                                              ; preds = %779
  %782 = icmp eq ptr %780, null
  %783 = load ptr, ptr %18, align 8
  br label %784

784:                                              ; preds = %791, %781
  %785 = phi i64 [ 0, %781 ], [ %792, %791 ]
  %786 = getelementptr inbounds ptr, ptr %783, i64 %785
  %787 = load ptr, ptr %786, align 8
  br i1 %782, label %790, label %788

788:                                              ; preds = %784
  %789 = call i32 @PyTuple_SetItem(ptr noundef nonnull %780, i64 noundef %785, ptr noundef %787) #16
  br label %791

790:                                              ; preds = %784
  call void @Py_DecRef(ptr noundef %787) #16
  br label %791

791:                                              ; preds = %790, %788
  %792 = add nuw nsw i64 %785, 1
  %793 = icmp eq i64 %792, %743
  br i1 %793, label %836, label %784, !llvm.loop !35

794:                                              ; preds = %773
  %795 = load ptr, ptr %18, align 8
  %796 = call ptr @PyList_New(i64 noundef %743) #16
  br i1 %745, label %797, label %809

797:                                              ; preds = %794
  %798 = icmp eq ptr %796, null
  br label %799

799:                                              ; preds = %806, %797
  %800 = phi i64 [ 0, %797 ], [ %807, %806 ]
  %801 = getelementptr inbounds ptr, ptr %795, i64 %800
  %802 = load ptr, ptr %801, align 8
  br i1 %798, label %805, label %803

803:                                              ; preds = %799
  %804 = call i32 @PyList_SetItem(ptr noundef nonnull %796, i64 noundef %800, ptr noundef %802) #16
  br label %806

805:                                              ; preds = %799
  call void @Py_DecRef(ptr noundef %802) #16
  br label %806

806:                                              ; preds = %805, %803
  %807 = add nuw nsw i64 %800, 1
  %808 = icmp eq i64 %807, %743
  br i1 %808, label %809, label %799, !llvm.loop !36

809:                                              ; preds = %806, %794
  %810 = icmp eq ptr %796, null
  br i1 %810, label %836, label %811

811:                                              ; preds = %809
  %812 = load i64, ptr %774, align 8
  %813 = icmp eq i64 %812, 2
  br i1 %813, label %836, label %814

814:                                              ; preds = %811
  %815 = getelementptr inbounds %struct.Specialization, ptr %562, i64 0, i32 8, i32 12
  %816 = load ptr, ptr %815, align 8
  %817 = call ptr (ptr, ...) @PyObject_CallFunctionObjArgs(ptr noundef %816, ptr noundef nonnull %796, ptr noundef null) #16
  call void @Py_DecRef(ptr noundef nonnull %796) #16
  br label %836

818:                                              ; preds = %739
  br i1 %732, label %823, label %819

819:                                              ; preds = %818
  %820 = icmp sgt i64 %733, 0
  br i1 %820, label %821, label %836

821:                                              ; preds = %819
  %822 = load ptr, ptr %18, align 8
  br label %824

823:                                              ; preds = %818
  call fastcc void @fail(ptr noundef %0, i64 noundef %734, ptr noundef nonnull %10, i64 noundef %733) #17
  br label %836

824:                                              ; preds = %821, %824
  %825 = phi i64 [ %828, %824 ], [ 0, %821 ]
  %826 = getelementptr inbounds ptr, ptr %822, i64 %825
  %827 = load ptr, ptr %826, align 8
  call void @Py_DecRef(ptr noundef %827) #16
  %828 = add nuw nsw i64 %825, 1
  %829 = icmp eq i64 %828, %733
  br i1 %829, label %836, label %824, !llvm.loop !37

830:                                              ; preds = %212
  store i64 %76, ptr %19, align 8
  br label %833

831:                                              ; preds = %169, %159
  store i64 %76, ptr %19, align 8
  br label %833

832:                                              ; preds = %252, %240, %256, %263, %91, %84, %123, %124, %118, %106, %229
  store i64 %76, ptr %19, align 8
  br label %833

833:                                              ; preds = %501, %54, %832, %831, %830, %558, %272, %68, %48, %45, %66, %488
  %834 = load atomic i64, ptr %27 acquire, align 8
  %835 = icmp eq i64 %834, 0
  br i1 %835, label %838, label %24, !llvm.loop !38

836:                                              ; preds = %824, %767, %791, %776, %779, %809, %811, %814, %819, %823
  %837 = phi ptr [ null, %823 ], [ %778, %776 ], [ %817, %814 ], [ %796, %811 ], [ null, %809 ], [ %780, %779 ], [ null, %819 ], [ %780, %791 ], [ null, %767 ], [ null, %824 ]
  call void @llvm.lifetime.end.p0(i64 24, ptr nonnull %8) #18
  call void @llvm.lifetime.end.p0(i64 4096, ptr nonnull %7) #18
  br label %839

838:                                              ; preds = %833, %6
  store i32 0, ptr %5, align 4
  br label %839

839:                                              ; preds = %586, %836, %838
  %840 = phi ptr [ null, %838 ], [ %587, %586 ], [ %837, %836 ]
  call void @llvm.lifetime.end.p0(i64 48, ptr nonnull %10) #18
  ret ptr %840
}

declare ptr @PyErr_NoMemory() local_unnamed_addr #3

declare ptr @PyObject_Vectorcall(ptr noundef, ptr noundef, i64 noundef, ptr noundef) local_unnamed_addr #3

; Function Attrs: nounwind
define internal fastcc i32 @same_static(ptr noundef %0, ptr noundef %1) unnamed_addr #0 {
  %3 = icmp eq ptr %0, %1
  br i1 %3, label %19, label %4

4:                                                ; preds = %2
  %5 = load i64, ptr getelementptr inbounds (%struct.GcConfig, ptr @gc_config, i64 0, i32 9), align 8
  %6 = getelementptr inbounds i8, ptr %0, i64 %5
  %7 = load ptr, ptr %6, align 8
  %8 = getelementptr inbounds i8, ptr %1, i64 %5
  %9 = load ptr, ptr %8, align 8
  %10 = icmp eq ptr %7, %9
  br i1 %10, label %11, label %19

11:                                               ; preds = %4
  %12 = icmp ne ptr %7, @PyLong_Type
  %13 = icmp ne ptr %7, @PyUnicode_Type
  %14 = and i1 %12, %13
  br i1 %14, label %19, label %15

15:                                               ; preds = %11
  %16 = tail call i32 @PyObject_RichCompareBool(ptr noundef nonnull %0, ptr noundef nonnull %1, i32 noundef 2) #16
  %17 = icmp eq i32 %16, 1
  %18 = zext i1 %17 to i32
  br label %19

19:                                               ; preds = %15, %11, %4, %2
  %20 = phi i32 [ 1, %2 ], [ %18, %15 ], [ 0, %11 ], [ 0, %4 ]
  ret i32 %20
}

declare double @PyFloat_AsDouble(ptr noundef) local_unnamed_addr #3

declare i64 @PyLong_AsLongLongAndOverflow(ptr noundef, ptr noundef) local_unnamed_addr #3

declare double @PyComplex_RealAsDouble(ptr noundef) local_unnamed_addr #3

declare double @PyComplex_ImagAsDouble(ptr noundef) local_unnamed_addr #3

; Function Attrs: mustprogress nocallback nofree nosync nounwind speculatable willreturn memory(none)
declare i64 @llvm.cttz.i64(i64, i1 immarg) #12

declare i32 @PyObject_RichCompareBool(ptr noundef, ptr noundef, i32 noundef) local_unnamed_addr #3

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
  br i1 %20, label %21, label %11, !llvm.loop !36

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
!19 = !{!"branch_weights", i32 1, i32 4000, i32 1}
!20 = distinct !{!20, !4}
!21 = !{i64 0, i64 65}
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
!37 = distinct !{!37, !4}
!38 = distinct !{!38, !4}
