# Not a test: prints figures.
add_executable(bench_attention bench_attention.cpp)
target_link_libraries(bench_attention PRIVATE kernels)
