target_sources(engine PRIVATE rope_config.cpp rope_table.cpp)
