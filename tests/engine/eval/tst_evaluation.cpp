// The documents that methods are judged by, and the judgement itself at a small size.

#include "engine/eval/evaluation.h"
#include "engine/eval/made_up_text.h"
#include "engine/eval/results.h"
#include "engine/eval/scoring.h"
#include "tests/engine/methods/reader_variant.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <map>
#include <set>

using namespace engine;

namespace {

std::shared_ptr<LoadedModel> reader()
{
    static const auto model = loadModel(BINARY_DIR "/resources/constructed-reader.gguf");
    return model;
}

EvalDocument documentOf(std::uint64_t tokens, std::uint64_t seed, const std::string& corpus = {})
{
    return makeEvalDocument(tokenizerOf(*reader()), {tokens, 10, seed, corpus, {}});
}

/// The words in the last quotation marks.
std::string quotationOf(const std::string& question)
{
    const std::size_t begin = question.find('"') + 1;
    return question.substr(begin, question.rfind('"') - begin);
}

std::size_t countOf(const std::string& text, const std::string& part)
{
    std::size_t count = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
        ++count;
    return count;
}

/// By task.
std::map<std::string, EvalCell> run(EvalOptions options, const std::string& method, double keep,
                                    std::uint64_t length)
{
    std::map<std::string, EvalCell> cells;
    SharedReadings readings(reader());
    for (const EvalCell& cell :
         runEvalUnit(reader(), readings, options, {length, method, keep}, {}).cells)
        cells[cell.task] = cell;
    return cells;
}

} // namespace

TEST_CASE("a document is as long as asked for, and every question has one place in it")
{
    for (const std::uint64_t length : {3000U, 12000U}) {
        const EvalDocument document = documentOf(length, 7);
        CAPTURE(length);
        CHECK(document.tokens <= length);
        CHECK(document.tokens > length - 100);
        CHECK(document.text == documentOf(length, 7).text);
        CHECK(document.text != documentOf(length, 8).text);
        std::map<std::string, std::size_t> asked;
        std::set<std::string> questions;
        for (const EvalQuestion& question : document.questions) {
            ++asked[question.task];
            for (const QuestionPart& part : question.parts) {
                CAPTURE(part.question);
                CHECK(questions.insert(part.question).second);
                if (question.task == "absent")
                    CHECK(countOf(document.text, quotationOf(part.question)) == 0);
                else if (question.task == "keyword")
                    CHECK(countOf(document.text, part.accepted.front()) == 1);
                else
                    CHECK(countOf(document.text,
                                  quotationOf(part.question) + " " + part.accepted.front()) == 1);
            }
        }
        for (const TaskInfo& task : evalTasks())
            CHECK(asked[task.id] == 10);
    }
}

TEST_CASE("a corpus is what the facts are hidden in")
{
    std::string corpus;
    Dice dice(3);
    for (int i = 0; i < 900; ++i)
        corpus += "Above the old bridge\nthe water rose. " + denseSentence(dice) + "\n\n";
    const EvalDocument document = documentOf(6000, 1, corpus);
    CHECK(countOf(document.text, "Above the old bridge the water rose.") > 50);
    CHECK_THROWS_AS(documentOf(6000, 1, corpus.substr(0, 500)), Error);
}

TEST_CASE("with everything kept every question is answered; with the end kept, those about the end")
{
    EvalOptions options;
    for (const auto& [task, cell] : run(options, "full", 1, 4096)) {
        CAPTURE(task);
        CHECK(cell.questions == 10);
        CHECK(cell.exact == 10);
        CHECK(cell.f1 == doctest::Approx(1));
        CHECK(cell.keptFraction == 1);
        CHECK(cell.bytesStored < cell.bytesFull);
    }
    const auto end = run(options, "streaming-llm", 0.25, 4096);
    CHECK(end.at("multi-key").exact <= 6);
    CHECK(end.at("needle").exact + end.at("quote").exact <= 10);
    CHECK(end.at("absent").exact == 10);
    CHECK(end.at("quote").keptFraction == doctest::Approx(0.25).epsilon(0.01));
}

TEST_CASE("what was said to each question comes with the cells, and nothing when a method refuses")
{
    EvalOptions options;
    options.tasks = {"needle", "multi-value"};
    options.questions = 2;
    SharedReadings readings(reader());
    const EvalUnitResult end =
        runEvalUnit(reader(), readings, options, {2048, "streaming-llm", 0.25}, {});
    REQUIRE(end.answers.size() == 8); // three for each of multi-value
    std::uint32_t exact = 0;
    for (const EvalAnswer& answer : end.answers) {
        CHECK(answer.unit.method == "streaming-llm");
        CHECK(answer.isExact == isExact(answer.said, {answer.wanted}));
        CHECK(answer.question.find('"') != std::string::npos);
        exact += answer.task == "needle" && answer.isExact ? 1 : 0;
    }
    CHECK(end.cells.front().task == "needle");
    CHECK(end.cells.front().exact == exact);

    const EvalUnitResult refused =
        runEvalUnit(reader(), readings, options, {2048, "duo-attention", 0.01}, {});
    CHECK_FALSE(refused.cells.front().refusal.empty());
    CHECK(refused.answers.empty());
}

TEST_CASE("a question that is known before is read with the document, and the record says so")
{
    const auto deep = tests::loadDeepReader(4096);
    EvalOptions options;
    options.tasks = {"needle"};
    options.questions = 4;
    options.methods = {"homer"};
    options.settings = {{"chunk", 1024}};
    const auto needles = [&] {
        SharedReadings readings(deep);
        return runEvalUnit(deep, readings, options, {4096, "homer", 0.1}, {}).cells.front();
    };
    const EvalCell blind = needles();
    CHECK(evalSetup(*deep, options).ends_with(", chunk=1024"));
    options.withQuestion = true;
    const EvalCell knowing = needles();
    CHECK(evalSetup(*deep, options).ends_with("each question known before the document is read"));
    CHECK(blind.questions == 4);
    CHECK(knowing.questions == 4);
    CHECK(knowing.documents == 1);
    CHECK(knowing.tokens == blind.tokens);
    CHECK(blind.exact <= 2);
    CHECK(knowing.exact == 4);
}

TEST_CASE("the units leave out keeps that make no difference, and bad options are refused")
{
    EvalOptions options;
    options.methods = {"full", "kvzip+adakv"};
    options.lengths = {8192, 4096};
    options.keep = {0.5, 0.1};
    const std::vector<EvalUnit> units = evalUnits(options);
    REQUIRE(units.size() == 6);
    CHECK(units[0].length == 4096);
    CHECK(units[0].method == "full");
    CHECK(units[0].keep == 1);
    CHECK(units[2].keep == 0.1);
    options.methods = {};
    for (const EvalUnit& unit : evalUnits(options))
        CHECK(unit.method != "snapkv");
    CHECK(evalTaskIds(options).size() == evalTasks().size() - 1);

    const auto refuses = [](auto change) {
        EvalOptions bad;
        change(bad);
        try {
            evalUnits(bad);
            evalTaskIds(bad);
        } catch (const Error& error) {
            return error.code() == ErrorCode::BadInput;
        }
        return false;
    };
    CHECK(refuses([](EvalOptions& bad) { bad.keep = {0.5, 0}; }));
    CHECK(refuses([](EvalOptions& bad) { bad.keep = {1.5}; }));
    CHECK(refuses([](EvalOptions& bad) { bad.methods = {"zip"}; }));
    CHECK(refuses([](EvalOptions& bad) { bad.methods = {"full+adakv"}; }));
    CHECK(refuses([](EvalOptions& bad) { bad.tasks = {"essay"}; }));
    CHECK(refuses([](EvalOptions& bad) { bad.questions = 17; }));
    CHECK(refuses([](EvalOptions& bad) { bad.documents = 0; }));
    CHECK(refuses([](EvalOptions& bad) { bad.lengths = {12}; }));
    CHECK_THROWS_AS(documentOf(1000, 1), Error); // the facts alone are longer
}

TEST_CASE("a method that cannot do it is written down with its reason")
{
    EvalOptions options;
    options.tasks = {"needle"};
    const EvalCell cell = run(options, "snapkv", 0.005, 4096).at("needle");
    CHECK(cell.questions == 0);
    CHECK(cell.refusal.find("snapkv") != std::string::npos);
}
