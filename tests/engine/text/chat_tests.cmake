epitome_add_test(tst_chat_template
  SOURCES template_cases.cpp tst_chat_template.cpp tst_chat_template_hostile.cpp
  LIBRARIES engine nlohmann_json::nlohmann_json LABELS golden)
