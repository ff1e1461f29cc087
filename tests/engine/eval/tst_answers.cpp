// What was said, in a file: each unit once, whatever was interrupted or asked again.

#include "engine/eval/answers.h"
#include "tests/app/store/temporary_folder.h"

#include <doctest/doctest.h>
#include <fstream>
#include <iterator>

using namespace engine;

namespace {

constexpr const char* kHeader = "task,length,method,keep,document,question,wanted,said,exact,f1\n";

std::string textOf(const std::filesystem::path& file)
{
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

EvalAnswer answerOf(const EvalUnit& unit, std::uint32_t document, const std::string& said)
{
    return {unit, "quote", document, "What follows \"a, b\"?", "c d", said, said == "c d", 0.5};
}

} // namespace

TEST_CASE("a unit's answers stand in the file once, and others stay")
{
    const tests::TemporaryFolder folder;
    const EvalAnswerFile file(folder.path());
    const EvalUnit full{4096, "full", 1};
    const EvalUnit kvzip{4096, "kvzip", 0.1};
    file.replace({answerOf(full, 0, "c d"), answerOf(full, 1, "x\ny")});
    const std::string first = "quote,4096,full,1,0,\"What follows \"\"a, b\"\"?\",c d,c d,1,0.5\n";
    CHECK(textOf(file.file()) ==
          kHeader + first +
              "quote,4096,full,1,1,\"What follows \"\"a, b\"\"?\",c d,\"x y\",0,0.5\n");

    std::ofstream(file.file(), std::ios::app) << "quote,4096,fu"; // as after a kill
    file.replace({answerOf(kvzip, 0, "z")});
    file.replace({answerOf(full, 0, "c d")});
    CHECK(textOf(file.file()) ==
          kHeader +
              std::string("quote,4096,kvzip,0.1,0,\"What follows \"\"a, b\"\"?\",c d,z,0,0.5\n") +
              first);

    const std::string before = textOf(file.file());
    file.replace({});
    CHECK(textOf(file.file()) == before);
    CHECK_THROWS_AS(EvalAnswerFile(folder.path() / "missing").replace({answerOf(full, 0, "")}),
                    Error);
}
