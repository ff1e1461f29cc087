#pragma once

#include "app/cli/output.h"
#include "app/library/library.h"
#include "engine/engine.h"

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace app {

/// Options that every command takes.
struct CommonOptions
{
    std::string dataDir; // empty: the default one
    bool json = false;
    bool quiet = false;
    std::string device = "auto";
    unsigned threads = 0;
};

struct PrepareArguments
{
    RecordId document = 0;
    std::string model;          // empty: the program's own for the text
    std::string method;         // empty: the usual one
    std::optional<double> keep; // none: the usual share
    std::optional<std::uint64_t> budget;
    std::string store = "kivi4";
    std::vector<std::string> settings; // "key=value"
    std::string question;              // that will be asked, for methods that use it
    std::vector<std::string> pins;     // pages kept whole: "3-5" or "7", counted from 1
    std::string headTable;             // a file of the command head-table
};

struct LayerSimilarityArguments
{
    RecordId document = 0;
    std::string model; // empty: the program's own for the text
    std::vector<std::string> settings;
};

struct HeadTableArguments
{
    RecordId document = 0;
    std::string model; // empty: the program's own for the text
    std::string out;
};

struct AskArguments
{
    RecordId document = 0;
    std::string question;
    RecordId context = 0;
    RecordId conversation = 0;
    std::string model; // empty: the one that the context was prepared with
    engine::AskOptions options;
};

struct TokenizeArguments
{
    std::string model;
    bool addSpecial = false;
    bool parseSpecial = false;
    std::string text; // "-": standard input
};

struct LogitsArguments
{
    std::string model;
    std::vector<std::int32_t> ids;
    bool all = false;
};

struct BenchArguments
{
    std::string model;
    std::vector<std::uint32_t> prompts{512};
    std::uint32_t generate = 16;
    std::uint32_t depth = 0;
    std::uint32_t attention = 16384;
    std::uint32_t restore = 32768;
};

struct BenchMethodsArguments
{
    std::vector<std::string> methods;  // empty: every one
    std::vector<std::string> settings; // of the only method
    std::string model;                 // empty: random weights
    std::string shape = "135m";        // of random weights
    double keep = 0.25;
    std::string store = "kivi4";
    std::uint32_t prefill = 4096;
    std::vector<std::uint32_t> depths{16384};
    std::uint32_t repeats = 3;
};

struct BenchFirstTokenArguments
{
    std::string model; // empty: random weights of a small shape
    std::vector<std::uint32_t> lengths;
    double select = 1024;
    double layer = -1;
    std::uint32_t repeats = 1;
};

struct EvalArguments
{
    std::string model; // empty: the embedded reader
    std::vector<std::string> methods;
    std::vector<double> keep{0.5, 0.25, 0.1};
    std::vector<std::uint64_t> lengths{4096, 16384};
    std::vector<std::string> tasks;
    std::uint32_t questions = 10;
    std::uint32_t documents = 1;
    std::uint64_t seed = 1;
    std::string store = "kivi4";
    std::vector<std::string> settings; // key=value
    bool withQuestion = false;
    std::string corpus; // a text file; empty: made-up sentences
    std::string out;    // a folder
    bool resume = false;
};

/// A command that failed in part: with --json its result and the error are one value.
class PartialFailure final : public engine::Error
{
public:
    PartialFailure(engine::ErrorCode code, const std::string& sentence, nlohmann::json result)
        : Error(code, sentence)
        , m_result(std::move(result))
    {}

    const nlohmann::json& result() const { return m_result; }

private:
    nlohmann::json m_result;
};

// Each command prints its result and throws engine::Error when it fails.
void listModels(const CommonOptions& common);
void showModel(const CommonOptions& common, const std::string& file);
void importFiles(const CommonOptions& common, const std::vector<std::string>& files);
void listDocuments(const CommonOptions& common);
void compareLayers(const CommonOptions& common, const LayerSimilarityArguments& arguments);
void measureHeads(const CommonOptions& common, const HeadTableArguments& arguments);
void prepare(const CommonOptions& common, const PrepareArguments& arguments);
void listContexts(const CommonOptions& common, RecordId document);
void ask(const CommonOptions& common, const AskArguments& arguments);
void listConversations(const CommonOptions& common, RecordId document);
void showConversation(const CommonOptions& common, RecordId conversation);
void inspectContext(const CommonOptions& common, RecordId context);
void verifyContexts(const CommonOptions& common, RecordId context);
void removeRecord(const CommonOptions& common, RecordId id);
void listMethods(const CommonOptions& common);
void tokenize(const CommonOptions& common, const TokenizeArguments& arguments);
void printLogits(const CommonOptions& common, const LogitsArguments& arguments);
void bench(const CommonOptions& common, const BenchArguments& arguments);
void benchMethods(const CommonOptions& common, const BenchMethodsArguments& arguments);
void benchFirstToken(const CommonOptions& common, const BenchFirstTokenArguments& arguments);
void evaluate(const CommonOptions& common, const EvalArguments& arguments);

// What the commands share.
Output outputOf(const CommonOptions& common);
std::unique_ptr<Library> openLibrary(const CommonOptions& common, OpenMode mode);
engine::LoadOptions loadOptions(const CommonOptions& common);
/// The citations of an answer, as the commands ask and show print them.
nlohmann::json citationsJson(const std::vector<CitationRecord>& citations);
void printCitations(const Output& output, const std::vector<CitationRecord>& citations);
/// "key=value" pairs, checked by the method's table. Throws BadInput.
std::map<std::string, double> parseSettings(const std::string& method,
                                            const std::vector<std::string>& settings);
/// The running program, for starting import workers.
std::filesystem::path thisProgram();

} // namespace app
