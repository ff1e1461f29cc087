target_sources(kernels PRIVATE
  cpu/attention.cpp
  cpu/attention_reference.cpp
  cpu/attention_rows.cpp
  cpu/kv_page.cpp
  cpu/kv_page_kivi.cpp
  cpu/merge.cpp
  cpu/pool.cpp
  cpu/score_pass_reduce.cpp
  cpu/score_pass_reference.cpp
  cpu/select.cpp)
