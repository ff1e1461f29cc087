target_sources(kernels PRIVATE
  cpu/attention.cpp
  cpu/attention_reference.cpp
  cpu/attention_rows.cpp
  cpu/attention_weights.cpp
  cpu/kv_page.cpp
  cpu/kv_page_kivi.cpp
  cpu/merge.cpp
  cpu/pool.cpp
  cpu/score_pass_reduce.cpp
  cpu/score_pass_reference.cpp
  cpu/select.cpp
  cpu/sparse_attention.cpp)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  target_sources(kernels PRIVATE
    cpu/attention_scored.cpp
    cpu/attention_tile_worker.cpp
    cpu/attention_tiled.cpp
    cpu/score_pass_tiled.cpp
    cpu/sparse_attention_tiled.cpp
    cpu/tile_kernels.cpp)
  list(APPEND KERNELS_AVX2_SOURCES cpu/attention_tile_avx2.cpp cpu/attention_weights_avx2.cpp
       cpu/kv_page_half_avx2.cpp cpu/score_pass_avx2.cpp cpu/tile_kernels_avx2.cpp)
  list(APPEND KERNELS_AVX512_SOURCES cpu/tile_kernels_avx512.cpp)
endif()
