epitome_add_test(tst_rope_table SOURCES tst_rope_table.cpp LIBRARIES engine)
