target_sources(engine PRIVATE
  ${CMAKE_CURRENT_LIST_DIR}/bpe_merge_table.cpp
  ${CMAKE_CURRENT_LIST_DIR}/bpe_merger.cpp
  ${CMAKE_CURRENT_LIST_DIR}/pretokenizer.cpp
  ${CMAKE_CURRENT_LIST_DIR}/sentences.cpp
  ${CMAKE_CURRENT_LIST_DIR}/tokenizer.cpp
  ${CMAKE_CURRENT_LIST_DIR}/tokenizer_base.cpp
  ${CMAKE_CURRENT_LIST_DIR}/tokenizer_bpe.cpp
  ${CMAKE_CURRENT_LIST_DIR}/tokenizer_special.cpp
  ${CMAKE_CURRENT_LIST_DIR}/tokenizer_spm.cpp
  ${CMAKE_CURRENT_LIST_DIR}/unicode_classes.cpp
  ${CMAKE_CURRENT_LIST_DIR}/unicode_tables.cpp
  ${CMAKE_CURRENT_LIST_DIR}/utf8.cpp
  ${CMAKE_CURRENT_LIST_DIR}/utf8_stream.cpp
  ${CMAKE_CURRENT_LIST_DIR}/vocabulary.cpp)
