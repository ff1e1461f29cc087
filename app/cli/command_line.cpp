#include "app/cli/command_line.h"

#include "app/cli/bad_use.h"
#include "app/cli/commands.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

namespace app {
namespace {

constexpr const char* kOwnReader = "GGUF file; without one a reader of the program's own";

constexpr int kFailed = 1;
constexpr int kBadUse = 2;

struct Arguments
{
    CommonOptions common;
    PrepareArguments prepare;
    HeadTableArguments headTable;
    AskArguments ask;
    TokenizeArguments tokenize;
    LogitsArguments logits;
    LayerSimilarityArguments layerSimilarity;
    BenchArguments bench;
    BenchMethodsArguments benchMethods;
    BenchFirstTokenArguments benchFirstToken;
    EvalArguments eval;
    std::vector<std::string> files;
    std::string file;
    RecordId id = 0;
};

void addCommonOptions(CLI::App& command, CommonOptions& common)
{
    command.add_option("--data-dir", common.dataDir, "Folder of the library")->type_name("DIR");
    command.add_flag("--json", common.json, "Print the result as JSON");
    command.add_flag("--quiet", common.quiet, "No progress");
    command.add_option("--device", common.device, "What computes")
        ->check(oneOf({"auto", "cpu", "cuda"}))
        ->type_name("auto|cpu|cuda");
    command.add_option("--threads", common.threads, "Threads; 0 takes all cores")
        ->check(between(0, 1024));
}

CLI::App* addCommand(CLI::App& app, Arguments& arguments, const std::string& name,
                     const std::string& description)
{
    CLI::App* command = app.add_subcommand(name, description);
    addCommonOptions(*command, arguments.common);
    return command;
}

void addModels(CLI::App& app, Arguments& a)
{
    CLI::App* models = addCommand(app, a, "models", "List the models on this computer");
    CLI::App* info = addCommand(*models, a, "info", "Facts about one model file");
    info->add_option("FILE", a.file, "A GGUF file")->required();
    models->require_subcommand(0, 1);
    info->callback([&a] { showModel(a.common, a.file); });
    models->callback([&a, models] {
        if (models->get_subcommands().empty())
            listModels(a.common);
    });
}

void addLibraryCommands(CLI::App& app, Arguments& a)
{
    CLI::App* importCommand = addCommand(app, a, "import", "Add PDF, EPUB, text or Markdown files");
    importCommand->add_option("FILE", a.files, "Files to add")->required();
    importCommand->callback([&a] { importFiles(a.common, a.files); });

    addCommand(app, a, "documents", "List the documents")->callback([&a] {
        listDocuments(a.common);
    });

    CLI::App* contexts = addCommand(app, a, "contexts", "List what has been prepared");
    contexts->add_option("--document", a.id, "Only of this document")->check(recordId());
    contexts->callback([&a] { listContexts(a.common, a.id); });

    CLI::App* conversations = addCommand(app, a, "conversations", "List the conversations");
    conversations->add_option("--document", a.id, "Only about this document")->check(recordId());
    conversations->callback([&a] { listConversations(a.common, a.id); });

    CLI::App* show = addCommand(app, a, "show", "Print a conversation");
    show->add_option("CONVERSATION", a.id, "Its id")->check(recordId())->required();
    show->callback([&a] { showConversation(a.common, a.id); });

    CLI::App* inspect = addCommand(app, a, "inspect", "What a context kept, and what it cost");
    inspect->add_option("CONTEXT", a.id, "Its id")->check(recordId())->required();
    inspect->callback([&a] { inspectContext(a.common, a.id); });

    CLI::App* verify = addCommand(app, a, "verify", "Check stored contexts for damage");
    verify->add_option("CONTEXT", a.id, "Its id; all without one")->check(recordId());
    verify->callback([&a] { verifyContexts(a.common, a.id); });

    CLI::App* remove = addCommand(app, a, "remove", "Remove a document, context or conversation");
    remove->add_option("ID", a.id, "Its id")->check(recordId())->required();
    remove->callback([&a] { removeRecord(a.common, a.id); });
}

void addPrepare(CLI::App& app, Arguments& a)
{
    CLI::App* prepareCommand = addCommand(app, a, "prepare", "Read a document once and keep it");
    PrepareArguments& p = a.prepare;
    prepareCommand->add_option("DOC", p.document, "Id of the document")
        ->check(recordId())
        ->required();
    prepareCommand->add_option("--model", p.model, kOwnReader)->type_name("FILE");
    prepareCommand->add_option(
        "--method", p.method,
        "What decides what is kept; see methods. Without any choice kvzip, and "
        "parallel-windows for a text longer than the model's window; with the small reader "
        "full for a page or two, and parallel-windows for more");
    CLI::Option* keep = prepareCommand->add_option(
        "--keep", p.keep, "Share of the document to keep, (0, 1]; 0.3 by default");
    prepareCommand
        ->add_option("--budget", p.budget,
                     "Tokens to keep in every head on average, instead of --keep")
        ->excludes(keep)
        ->check(between(1, double{1ULL << 40U}));
    prepareCommand->add_option("--store", p.store,
                               "f16, int8, kivi4 or kivi2; with +coded smaller on disk");
    prepareCommand->add_option("--set", p.settings, "A setting of the method: key=value")
        ->type_name("KEY=VALUE");
    prepareCommand->add_option("--pin", p.pins, "Pages kept whole, counted from 1: 3-5 or 7")
        ->delimiter(',');
    prepareCommand
        ->add_option("--head-table", p.headTable,
                     "File of the command head-table, for kvzip-head and duo-attention")
        ->type_name("FILE");
    prepareCommand->add_option("--question", p.question,
                               "What will be asked, for methods made for one (homer, gemfilter)");
    prepareCommand->callback([&a] { prepare(a.common, a.prepare); });

    CLI::App* heads = addCommand(app, a, "head-table",
                                 "Measure on a document which heads of a model are worth most");
    heads->add_option("DOC", a.headTable.document, "Id of the document")
        ->check(recordId())
        ->required();
    heads->add_option("--model", a.headTable.model, kOwnReader)->type_name("FILE");
    heads->add_option("--out", a.headTable.out, "File to write")->type_name("FILE")->required();
    heads->callback([&a] { measureHeads(a.common, a.headTable); });

    LayerSimilarityArguments& l = a.layerSimilarity;
    CLI::App* layers =
        addCommand(app, a, "layer-similarity",
                   "Compare on a document how the layers of a model attend, for pod");
    layers->add_option("DOC", l.document, "Id of the document")->check(recordId())->required();
    layers->add_option("--model", l.model, kOwnReader)->type_name("FILE");
    layers->add_option("--set", l.settings, "A setting of pod: key=value")->type_name("KEY=VALUE");
    layers->callback([&a] { compareLayers(a.common, a.layerSimilarity); });
}

void addAsk(CLI::App& app, Arguments& a)
{
    CLI::App* askCommand = addCommand(app, a, "ask", "Ask a prepared document");
    AskArguments& q = a.ask;
    askCommand->add_option("DOC", q.document, "Id of the document")->check(recordId())->required();
    askCommand->add_option("QUESTION", q.question, "The question")->required();
    askCommand->add_option("--context", q.context, "The newest ready one without it")
        ->check(recordId());
    askCommand->add_option("--conversation", q.conversation, "Go on with this conversation")
        ->check(recordId());
    askCommand->add_option("--model", q.model, "Where the model's file is now, if it has moved")
        ->type_name("FILE");
    askCommand->add_option("--max-tokens", q.options.maxTokens, "Length of the answer at most")
        ->check(between(1, 1U << 20U));
    askCommand
        ->add_option("--temperature", q.options.temperature, "0 is always the likeliest token")
        ->check(between(0, 5));
    askCommand->add_option("--seed", q.options.seed, "For temperatures above 0");
    askCommand->add_option("--stop", q.options.stopStrings, "End the answer before this text");
    askCommand->add_flag("--raw", q.options.raw, "Send the question without a chat template");
    askCommand->callback([&a] { ask(a.common, a.ask); });
}

/// The options of the comparison of methods; returns the one that asks for it.
CLI::Option* addBenchMethods(CLI::App& command, BenchMethodsArguments& m)
{
    CLI::Option* methods =
        command
            .add_option("--methods", m.methods,
                        "Compare these methods with full instead; every one without ids")
            ->delimiter(',')
            ->expected(0, -1);
    command
        .add_option("--shape", m.shape,
                    "With --methods: layers of random weights like those of 135m or 1b parameters")
        ->check(oneOf({"135m", "1b"}))
        ->needs(methods);
    command
        .add_option("--set", m.settings,
                    "With --methods and one method: a setting of it, key=value")
        ->type_name("KEY=VALUE")
        ->needs(methods);
    command.add_option("--keep", m.keep, "With --methods: share to keep")->needs(methods);
    command.add_option("--store", m.store, "With --methods: f16, int8, kivi4 or kivi2")
        ->needs(methods);
    command.add_option("--prefill", m.prefill, "With --methods: tokens to read")->needs(methods);
    command
        .add_option("--depths", m.depths, "With --methods: tokens before decoding, such as 65536")
        ->delimiter(',')
        ->needs(methods);
    return methods;
}

CLI::Option* addBenchFirstToken(CLI::App& command, BenchFirstTokenArguments& f)
{
    CLI::Option* firstToken =
        command
            .add_option("--first-token", f.lengths,
                        "Time to the first token of gemfilter beside full instead, for documents "
                        "of so many tokens")
            ->delimiter(',');
    command.add_option("--select", f.select, "With --first-token: gemfilter's tokens")
        ->needs(firstToken);
    command.add_option("--layer", f.layer, "With --first-token: gemfilter's layer")
        ->needs(firstToken);
    return firstToken;
}

void addBench(CLI::App& app, Arguments& a)
{
    CLI::App* benchCommand =
        addCommand(app, a, "bench", "Speed as a share of this machine's limits");
    benchCommand->add_option("--model", a.bench.model, "GGUF file; random weights without one")
        ->type_name("FILE");
    benchCommand->add_option("--prompt", a.bench.prompts, "Prompt lengths in tokens")
        ->delimiter(',');
    benchCommand->add_option("--generate", a.bench.generate, "Tokens to decode; 0 leaves it out");
    benchCommand->add_option("--depth", a.bench.depth, "Tokens in the cache before decoding");
    benchCommand->add_option("--attention", a.bench.attention,
                             "Tokens of the attention measurement; 0 leaves it out");
    benchCommand->add_option("--restore", a.bench.restore,
                             "Tokens of the restore measurement; 0 leaves it out");
    CLI::Option* methods = addBenchMethods(*benchCommand, a.benchMethods);
    CLI::Option* repeats = benchCommand->add_option("--repeat", a.benchMethods.repeats,
                                                    "With --methods or --first-token: repetitions");
    CLI::Option* firstToken = addBenchFirstToken(*benchCommand, a.benchFirstToken);
    firstToken->excludes(methods);
    benchCommand->callback([&a, methods, firstToken, repeats] {
        if (firstToken->count() > 0) {
            a.benchFirstToken.model = a.bench.model;
            a.benchFirstToken.repeats = a.benchMethods.repeats;
            benchFirstToken(a.common, a.benchFirstToken);
            return;
        }
        if (methods->count() == 0) {
            if (repeats->count() > 0)
                throw CLI::RequiresError("--repeat", "--methods or --first-token");
            bench(a.common, a.bench);
            return;
        }
        a.benchMethods.model = a.bench.model;
        // An option without a value gives one empty word.
        std::erase(a.benchMethods.methods, "");
        benchMethods(a.common, a.benchMethods);
    });
}

void addTools(CLI::App& app, Arguments& a)
{
    addCommand(app, a, "methods", "List the methods with their settings")->callback([&a] {
        listMethods(a.common);
    });

    CLI::App* tokens = addCommand(app, a, "tokenize", "Token ids of a text");
    tokens->add_option("--model", a.tokenize.model, "GGUF file")->type_name("FILE")->required();
    tokens->add_flag("--add-special", a.tokenize.addSpecial,
                     "Add the tokens the model starts with");
    tokens->add_flag("--parse-special", a.tokenize.parseSpecial, "Read control tokens in the text");
    tokens->add_option("TEXT", a.tokenize.text, "The text, or - for standard input")->required();
    tokens->callback([&a] { tokenize(a.common, a.tokenize); });

    CLI::App* logitsCommand = addCommand(app, a, "logits", "Logits after given token ids");
    logitsCommand->add_option("--model", a.logits.model, "GGUF file")
        ->type_name("FILE")
        ->required();
    logitsCommand->add_option("--ids", a.logits.ids, "Ids, separated by commas")
        ->required()
        ->delimiter(',');
    logitsCommand->add_flag("--all", a.logits.all, "Of every position, not only the last");
    logitsCommand->callback([&a] { printLogits(a.common, a.logits); });

    addBench(app, a);
}

void addEval(CLI::App& app, Arguments& a)
{
    CLI::App* command =
        addCommand(app, a, "eval", "How well each method keeps what is asked later");
    EvalArguments& e = a.eval;
    command->add_option("--model", e.model, "GGUF file; the embedded reader without one")
        ->type_name("FILE");
    command->add_option("--methods", e.methods, "Ids; every query-agnostic one without it")
        ->delimiter(',');
    command->add_option("--keep", e.keep, "Shares to keep, (0, 1]")->delimiter(',');
    command->add_option("--lengths", e.lengths, "Lengths of the documents in tokens")
        ->delimiter(',');
    command
        ->add_option("--tasks", e.tasks,
                     "needle, multi-key, multi-value, passkey, quote, absent, keyword")
        ->delimiter(',');
    command->add_option("--questions", e.questions, "Of each task, about each document");
    command->add_option("--documents", e.documents, "Of each length");
    command->add_option("--seed", e.seed, "Of the first document");
    command->add_option("--store", e.store, "f16, int8, kivi4 or kivi2");
    command->add_option("--set", e.settings, "A setting of every method: key=value")
        ->type_name("KEY=VALUE");
    command->add_flag("--with-question", e.withQuestion,
                      "Prepare for each question, which the method knows: for homer");
    command->add_option("--corpus", e.corpus, "Text file to hide the facts in")->type_name("FILE");
    command->add_option("--out", e.out, "Folder for results.csv, answers.csv and table.md")
        ->type_name("DIR");
    command->add_flag("--resume", e.resume, "Go on with the results in that folder");
    command->callback([&a] { evaluate(a.common, a.eval); });
}

int report(const CommonOptions& common, const std::string& sentence, int code,
           nlohmann::json result = nlohmann::json::object())
{
    std::cerr << sentence << '\n';
    result["error"] = sentence;
    outputOf(common).value(result);
    return code;
}

} // namespace

int runCommandLine(int argc, char** argv)
{
    Arguments arguments;
    CLI::App app("Epitome reads a long document once, keeps it, and answers questions about it.",
                 "epitome");
    app.require_subcommand(1);
    app.set_version_flag("--version", EPITOME_VERSION);
    addCommonOptions(app, arguments.common); // they may also stand before the command
    addModels(app, arguments);
    addLibraryCommands(app, arguments);
    addPrepare(app, arguments);
    addAsk(app, arguments);
    addTools(app, arguments);
    addEval(app, arguments);
    checkValues(app);
    try {
        app.parse(argc, argv);
        // A full disk must not look like a result.
        if (!std::cout.flush()) {
            throw engine::Error(engine::ErrorCode::DiskFull,
                                "The result could not be written to its end. Make room where "
                                "standard output goes to, or send it elsewhere.");
        }
        return 0;
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0)
            return app.exit(error);
        const std::vector<std::string> words(argv + 1, argv + argc);
        // Where reading the words stopped early, --json may not have been reached.
        arguments.common.json = std::ranges::find(words, "--json") != words.end();
        return report(arguments.common, badUseSentence(app, words, error), kBadUse);
    } catch (const PartialFailure& error) {
        return report(arguments.common, error.what(), kFailed, error.result());
    } catch (const engine::Error& error) {
        const bool badUse = error.code() == engine::ErrorCode::BadInput && arguments.files.empty();
        return report(arguments.common, error.what(), badUse ? kBadUse : kFailed);
    } catch (const std::bad_alloc&) {
        return report(arguments.common,
                      "There is not enough memory for this. Choose a smaller model or keep less.",
                      kFailed);
    } catch (const std::exception& error) {
        return report(arguments.common,
                      std::string("Something went wrong that should not: ") + error.what() + ".",
                      kFailed);
    }
}

} // namespace app
