# Sourced: `. tests/support/sanitizers.sh address|thread` chooses the build folder whose code watches itself, how it is
# configured, and how it reports.
case $1 in
  address)
    export EMBER_BUILD_DIR=${EMBER_BUILD_DIR:-$root/build/asan}
    # libember.a: what a static library needs is checked in the same build.
    export EMBER_CMAKE_ARGS='-DEMBER_SANITIZE=address -DBUILD_SHARED_LIBS=OFF' ;;
  thread)
    export EMBER_BUILD_DIR=${EMBER_BUILD_DIR:-$root/build/tsan}
    export EMBER_CMAKE_ARGS='-DEMBER_SANITIZE=thread -DEMBER_BUILD_EXAMPLES=OFF' ;;
esac
export CXX=clang++
# Less is remembered of old memory than by default: the tests that make a million nodes would take minutes.
export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1:check_initialization_order=1:allocator_may_return_null=1
ASAN_OPTIONS+=:malloc_context_size=8:quarantine_size_mb=32:allocator_release_to_os_interval_ms=-1:max_malloc_fill_size=256
export UBSAN_OPTIONS=print_stacktrace=1
# libgomp, oneDNN and OpenBLAS were not built with it: what they do among themselves is theirs. Where ember's own loops
# begin and end on libgomp's threads, core/Threads.cpp says so.
export TSAN_OPTIONS=ignore_noninstrumented_modules=1:second_deadlock_stack=1
