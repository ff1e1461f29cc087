target_sources(engine PRIVATE prompt_layout.cpp sampler.cpp stop_strings.cpp)
