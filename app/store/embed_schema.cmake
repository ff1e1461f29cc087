# Writes OUTPUT, a C++ file with the numbered SQL files of FOLDER as two tables of migrations.
# cmake -DFOLDER=... -DOUTPUT=... -P embed_schema.cmake
set(text "#include \"app/store/migrations.h\"\n\nnamespace app {\nnamespace {\n\n")
foreach(file library contexts)
  file(GLOB steps "${FOLDER}/${file}_*.sql")
  list(SORT steps)
  set(expected 0)
  string(APPEND text "constexpr std::string_view ${file}Steps[] = {\n")
  foreach(step ${steps})
    math(EXPR expected "${expected} + 1")
    string(REGEX MATCH "_0*([1-9][0-9]*)\\.sql$" match "${step}")
    if(NOT CMAKE_MATCH_1 EQUAL expected)
      message(FATAL_ERROR "${step}: step ${expected} is missing")
    endif()
    file(READ "${step}" sql)
    string(APPEND text "R\"sql(${sql})sql\",\n")
  endforeach()
  string(APPEND text "};\n\n")
endforeach()
string(APPEND text "} // namespace\n\n"
  "std::span<const std::string_view> librarySchema()\n{\n    return librarySteps;\n}\n\n"
  "std::span<const std::string_view> contextsSchema()\n{\n    return contextsSteps;\n}\n\n"
  "} // namespace app\n")
file(WRITE "${OUTPUT}" "${text}")
