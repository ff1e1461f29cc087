#pragma once

// The engine's public face: load a model, prepare a document, ask questions. Everything the program
// above needs is here; the headers in the sub-folders are the engine's own.

#include "engine/dialog/exchange.h"
#include "engine/error.h"
#include "engine/text/tokenizer.h"
#include "kernels/kv_page.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace engine {

using kernels::KvType;

/// "f32", "f16", "int8", "kivi4", "kivi2"; parse throws BadInput naming the allowed words.
std::string kvTypeName(KvType type);
KvType parseKvType(std::string_view name);

/// How a context is stored: the type of its pages, and whether they are entropy-coded on disk,
/// which is without loss, smaller and slower to load.
struct StoreFormat
{
    KvType type = KvType::Kivi4;
    bool coded = false;

    friend bool operator==(const StoreFormat&, const StoreFormat&) = default;
};

/// A type's name, with "+coded" for the entropy-coded form; parse throws BadInput naming the
/// allowed words.
std::string storeFormatName(const StoreFormat& format);
StoreFormat parseStoreFormat(std::string_view name);

// ------------------------------------------------------------------------------------------ models

enum class Device
{
    Auto,
    Cpu,
    Cuda
};

struct LoadOptions
{
    Device device = Device::Auto;
    unsigned threads = 0;       // 0: all cores
    bool exactProducts = false; // quantised weights times float32 activations instead of 8-bit ones
};

/// Facts about a model file. Reading them does not load the weights.
struct ModelInfo
{
    std::filesystem::path path;
    std::string name;
    std::string architecture;
    std::string fileType; // "Q8_0", "F16", "mixed", ...
    std::uint64_t fileBytes = 0;
    std::uint64_t parameters = 0;
    std::uint32_t layers = 0;
    std::uint32_t width = 0;
    std::uint32_t heads = 0;
    std::uint32_t kvHeads = 0;
    std::uint32_t headDim = 0;
    std::uint32_t contextLength = 0; // trained window in tokens
    std::uint32_t vocabularySize = 0;
    bool hasChatTemplate = false;
    std::string description;
    std::uint64_t kvBytesPerToken = 0; // all layers and heads at float16
    bool supported = true;
    std::string unsupportedReason; // a sentence, when not supported
};

/// Throws Error for a file that is not a model; a model of an unknown kind is returned as not
/// supported.
ModelInfo readModelInfo(const std::filesystem::path& path);

/// The tokenizer of a model file, without its weights; the file may be a vocabulary alone. Throws
/// Error.
std::unique_ptr<const Tokenizer> openTokenizer(const std::filesystem::path& path);

class LoadedModel; // engine/model/model.h

/// Throws Error. The result is shared by preparations and conversations and used by one thread at a
/// time.
std::shared_ptr<LoadedModel> loadModel(const std::filesystem::path& path,
                                       const LoadOptions& options = {});

const ModelInfo& modelInfo(const LoadedModel& model);
const Tokenizer& tokenizerOf(const LoadedModel& model);
/// 64 hex digits over the weights' table, sampled weight data, tokenizer and RoPE configuration.
std::string modelIdentity(const LoadedModel& model);
/// "CPU, 2 threads, AVX2", and why no GPU is used when one was asked for or could be expected.
std::string deviceSentence(const LoadedModel& model);

/// Logits after the given ids: of the last position, or of all (ids.size() * vocabulary floats).
/// The KV cache is float32.
std::vector<float> logits(LoadedModel& model, std::span<const std::int32_t> ids, bool all);

// ----------------------------------------------------------------------------------------- methods

struct MethodParameter
{
    std::string key;
    std::string description; // with unit
    double minimum = 0;
    double maximum = 0;
    double defaultValue = 0;
    /// A choice among words: the value is the place of the word. Empty: a number.
    std::vector<std::string> words = {};
};

struct MethodInfo
{
    std::string id;    // stored in databases: never changed or reused
    std::string title; // shown to the user
    std::string description;
    std::string source;        // paper
    bool queryAgnostic = true; // false: made for a question that is known while reading
    std::vector<MethodParameter> parameters;
    bool needsTraining = false; // needs parameters or a table that were trained or measured before
    double extraPasses = 0;     // over the document, besides the one that reads it
    bool usesKeep = true;       // false: what stays does not depend on keep or budget
    std::vector<std::string> stages = {}; // ids of the stages that it goes together with
};

/// Every method, in the order in which the user sees them.
std::vector<MethodInfo> methods();

/// What may stand behind a method's id with a plus sign.
struct StageInfo
{
    std::string id;
    std::string kind; // "allocator", "positions", ...: at most one stage of each kind
    std::string description;
    std::string source;                      // paper
    std::vector<MethodParameter> parameters; // that it adds to those of the method
};

/// Every stage.
std::vector<StageInfo> stages();

/// The value of a setting of a method as a person writes it: a number, or one of the words of the
/// setting. Throws BadInput naming the known keys or words.
double parseSetting(const std::string& method, const std::string& key, const std::string& text);
/// The word of a value, or the number; also for settings that the method no longer has.
std::string settingText(const std::string& method, const std::string& key, double value);

// ------------------------------------------------------------------------------------- preparation

/// Keeps bias tables between preparations, so that a model is measured once and not with every
/// document. A key stands for a model, its positions and the settings that a table depends on.
class BiasTables
{
public:
    virtual ~BiasTables() = default;
    /// Empty when there is none. One that cannot be used is measured anew.
    virtual std::string find(const std::string& key) = 0;
    /// Called when a preparation that measured a table is done.
    virtual void keep(const std::string& key, const std::string& table) = 0;
};

struct PrepareOptions
{
    std::string method = "kvzip";
    double keep = 0.3;                   // share of the document's KV pairs, (0, 1]
    std::optional<std::uint64_t> budget; // instead of keep: pairs per head on average
    KvType store = KvType::Kivi4;
    bool coded = false;                     // entropy-coded on disk
    std::map<std::string, double> settings; // the method's own parameters
    std::string systemText;                 // put before the document
    std::vector<ByteRange> pinned;          // parts of the text that are kept whole
    /// What will be asked, where that is known: for homer, and gemfilter in two of its modes.
    std::string question;
    std::string biasTable;                  // of biasTable(), for homer; empty: see biasTables
    std::shared_ptr<BiasTables> biasTables; // null: a table is made from each document
    std::string headTable;                  // of measureHeadTable(), for methods that take one
    /// Tokens per checkpointed block, at most; fewer where their keys and values exceed 64 MiB.
    std::uint32_t blockRows = 512;
};

struct PrepareProgress
{
    std::string phase;            // "Reading", "Scoring", "Packing"
    std::uint64_t tokensDone = 0; // within the phase
    std::uint64_t tokensTotal = 0;
    double fraction = 0; // of all the work, by estimated cost
};

/// One sample of the memory ledger, bytes by owner.
struct MemorySample
{
    double seconds = 0; // of work so far, in all runs
    std::string phase;
    std::uint64_t weights = 0;
    std::uint64_t keyValues = 0;
    std::uint64_t scores = 0;
    std::uint64_t buffers = 0;
    std::uint64_t process = 0; // resident set, as the operating system counts it
};

struct ContextInfo
{
    std::string modelName;
    std::string modelIdentity;
    std::string method;
    std::map<std::string, double> settings;
    double keep = 1;
    KvType store = KvType::F16;
    bool coded = false;       // entropy-coded on disk
    std::string textHash;     // of the document's text
    std::uint64_t tokens = 0; // of the document
    std::uint64_t prefixTokens = 0;
    double keptFraction = 1;       // measured: kept pairs / all pairs of the document
    std::uint64_t bytesFull = 0;   // the same tokens at float16, nothing dropped
    std::uint64_t bytesStored = 0; // of the pages as they are
    std::uint64_t peakBytes = 0;   // process peak while preparing, in all runs
    double seconds = 0;            // of work, in all runs: a kill loses that of one block
    std::uint32_t layers = 0;
    std::uint32_t kvHeads = 0;
    std::string rope;         // how positions turn keys, as one line (RopeConfig::canonical)
    std::uint64_t window = 0; // positions that document and conversation have together
};

class Context;      // engine/dialog/context.h: an immutable prepared document
class AnswerMethod; // engine/methods/answering.h

/// Reads a document once. Work is cut into blocks; after each, the new checkpoint pieces can be
/// stored, and a later Preparation with the same arguments that is given them continues where the
/// last one stopped, with bit-identical results. Used by one thread at a time.
class Preparation
{
public:
    /// Throws Error: BadInput for options, TooLarge for a document longer than the window that the
    /// model, the rope setting and the method make together (the sentence names them and what to
    /// do).
    Preparation(std::shared_ptr<LoadedModel> model, std::string_view documentText,
                const PrepareOptions& options);
    ~Preparation();
    Preparation(const Preparation&) = delete;
    Preparation& operator=(const Preparation&) = delete;

    /// Replays stored pieces, in the order in which they were taken. Throws Damaged or Mismatch;
    /// the object can then only be thrown away.
    void restore(std::span<const std::byte> piece);

    /// Does the next block; false when there is nothing left to do. Throws Error(Cancelled) when
    /// stopped; the object can then be continued or thrown away.
    bool advance(std::stop_token stop = {});

    /// The piece for the block just done; empty if the block needs none.
    std::vector<std::byte> takeCheckpoint();

    PrepareProgress progress() const;
    std::vector<MemorySample> ledger() const;
    /// Sentences about what went wrong without ending the work; complete when there is no work
    /// left.
    std::vector<std::string> warnings() const;

    /// Packs what is kept. Call once, after advance() returned false.
    std::shared_ptr<const Context> finish();

private:
    class Impl;
    std::unique_ptr<Impl> m_impl;
};

/// Measures on a sample text how much repeating it needs each KV head, for methods that give whole
/// heads more or less (PrepareOptions::headTable). The table is a text; it is valid for this model
/// with this RoPE configuration. Throws Error: BadInput for a sample that is too short, TooLarge
/// for one that leaves the model's window no room to repeat a part of it, Cancelled.
std::string measureHeadTable(const std::shared_ptr<LoadedModel>& model, std::string_view sample,
                             const std::function<void(const PrepareProgress&)>& onProgress = {},
                             const std::stop_token& stop = {});

/// The head table that lies beside the model NAME.gguf as NAME.heads, for methods that take one and
/// for options that name none; else what the options have. Empty where there is none or where it is
/// of another model or RoPE configuration, so that heads are measured. Throws Damaged for a file
/// that is no table.
std::string usualHeadTable(const LoadedModel& model, const PrepareOptions& options);

// ---------------------------------------------------------------------------------------- contexts

const ContextInfo& contextInfo(const Context& context);

/// Kept entries per (layer, KV head), row-major [layers][kvHeads], document tokens only.
std::vector<std::uint32_t> keptCounts(const Context& context);
/// Per document token: in how many of the layers * kvHeads cells it was kept.
std::vector<std::uint16_t> retentionMap(const Context& context);
/// Byte range in the document's text of each document token.
std::vector<ByteRange> tokenRanges(const Context& context);

/// The bias table that homer measured or was given (PrepareOptions::biasTable), valid for the same
/// model and rope setting. Throws BadInput for a context of another method.
std::string biasTable(const Context& context);

/// Number of artefact segments, and one of them: segment 0 is the header; the others hold keys and
/// values, at most 8 MiB each.
std::size_t segmentCount(const Context& context);
std::vector<std::byte> writeSegment(const Context& context, std::size_t index);

/// Reads the facts of a header segment without a model. Throws Damaged or Unsupported.
ContextInfo readContextInfo(std::span<const std::byte> headerSegment);
/// The same as keptCounts(), from a header segment without a model. Throws Damaged.
std::vector<std::uint32_t> readKeptCounts(std::span<const std::byte> headerSegment);
/// The same as tokenRanges(), from a header segment without a model. Throws Damaged.
std::vector<ByteRange> readTokenRanges(std::span<const std::byte> headerSegment);

/// Loads a stored context; `readSegment(i)` gives segment i, in any thread but never twice at once.
/// Every field is checked against the model: Mismatch when it was made by another model, tokenizer
/// or RoPE configuration, or with `textHash` for another text; Damaged when it contradicts itself.
std::shared_ptr<const Context>
loadContext(const std::shared_ptr<LoadedModel>& model,
            const std::function<std::vector<std::byte>(std::size_t)>& readSegment,
            std::string_view textHash);

// ----------------------------------------------------------------------------------- conversations

struct AskOptions
{
    std::uint32_t maxTokens = 512;
    float temperature = 0; // 0: greedy
    int topK = 40;
    float topP = 0.95F;
    float minP = 0.05F;
    float repetitionPenalty = 1.0F;
    std::uint64_t seed = 0;
    bool raw = false;     // the question's text without the model's chat template
    bool evidence = true; // collects Answer::evidence, which takes up to 40 % of the time
    std::vector<std::string> stopStrings = {};
};

/// Where an answer looked: the document tokens that a sentence's attention fell on most.
struct Evidence
{
    ByteRange sentence; // in the answer's text
    struct Place
    {
        std::uint32_t token = 0; // document token index
        float mass = 0; // share of the sentence's attention on the document, all layers and heads
    };
    std::vector<Place> places; // heaviest first, at most 64
};

struct Answer
{
    std::string text;
    std::uint32_t tokens = 0;
    std::uint64_t tokensInContext = 0; // document and conversation, as the model sees them
    std::uint64_t tokensReread = 0;    // document tokens that ran through the model again
    double firstTokenSeconds = 0;
    double tokensPerSecond = 0;
    bool stoppedByUser = false;
    bool reachedLimit = false;
    std::vector<Evidence> evidence;
};

/// Questions about one context, which is shared and never changed; each has a tail of its own.
class Conversation
{
public:
    /// `earlier` are exchanges of a stored conversation; they are read into the tail at the first
    /// question. Throws Mismatch when the context was made by another model.
    Conversation(std::shared_ptr<LoadedModel> model, std::shared_ptr<const Context> context,
                 std::vector<Exchange> earlier = {});
    /// The same with a method for questions in place of the context's own.
    Conversation(std::shared_ptr<LoadedModel> model, std::shared_ptr<const Context> context,
                 std::vector<Exchange> earlier, std::unique_ptr<AnswerMethod> method);
    ~Conversation();
    Conversation(const Conversation&) = delete;
    Conversation& operator=(const Conversation&) = delete;

    /// Streams whole UTF-8 characters to `onText` and returns the complete answer. A requested stop
    /// ends it normally with stoppedByUser; before the question was read, it leaves the
    /// conversation as it was. Throws Error (BadInput for an empty question or options out of
    /// range, TooLarge when the window is full) with the conversation as it was.
    Answer ask(const std::string& question, const AskOptions& options,
               const std::function<void(std::string_view)>& onText,
               const std::stop_token& stop = {});

    /// Tokens that still fit behind the context and the tail.
    std::uint64_t tokensLeft() const;

private:
    class Impl;
    std::unique_ptr<Impl> m_impl;
};

} // namespace engine
