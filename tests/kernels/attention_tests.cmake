epitome_add_test(tst_attention SOURCES tst_attention.cpp LIBRARIES kernels LABELS unit)
