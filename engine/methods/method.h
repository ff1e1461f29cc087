#pragma once

#include "engine/engine.h"
#include "engine/methods/parallel_for.h"
#include "engine/run/hooks.h"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace engine {

class AnswerMethod;      // engine/methods/answering.h
class Context;           // engine/dialog/context.h
struct BeaconParameters; // engine/model/beacon.h

/// How the places are divided among layers and heads.
enum class Allocator
{
    Uniform, // every head the same number
    AdaKv,   // the heads of a layer share by score, above a floor each
    Pyramid, // lower layers more, upper layers fewer
    Global   // one ranking over all layers and heads
};

/// What competes with what.
enum class SpanRule
{
    Tokens,     // single tokens of the whole document
    ChunkPress, // tokens of one chunk, which is scored and cut on its own
    ChunkKv     // whole chunks, the same for all heads of a layer
};

/// What was written behind the scorer in "scorer+span rule+allocator+compact".
struct Stages
{
    SpanRule span = SpanRule::Tokens;
    std::optional<Allocator> allocator; // the method's own when absent
    bool compact = false;               // kept keys are turned to contiguous positions
    bool sparsePrefill = false;         // the document is read as minference reads it
    bool snapkv = false;                // the last rows choose among distant tokens
};

/// What a method is given to plan with.
struct DocumentPlan
{
    std::vector<std::int32_t> prefix;   // template head and system text; role System, always kept
    std::vector<std::int32_t> document; // what is compressed
    std::uint32_t layers = 0;
    std::uint32_t kvHeads = 0;
    std::uint32_t headDim = 0;
    std::uint32_t width = 0; // of hidden rows
    std::uint32_t vocabularySize = 0;
    std::uint32_t contextLength = 0; // positions that the model has, with the rope setting
    std::uint32_t blockRows = 512;
    double keep = 1;
    std::optional<std::uint64_t> budget; // pairs per head on average, in place of keep
    std::map<std::string, double> settings;
    Stages stages;
    /// Document tokens that stay whatever their score: ascending, disjoint, paid from the budget.
    std::vector<kernels::EntryRange> pinned;
    /// (layers, kvHeads) worth of each head from a table; empty when none was given.
    std::vector<float> headScores;
    std::string question;  // what will be asked, where that is known; empty otherwise
    std::string biasTable; // writeHomerBias(), checked by who reads it; empty: to be made
    std::shared_ptr<BiasTables> biasTables; // of other preparations; may be null
    std::string modelIdentity; // of the model and of its positions: where tables belong to
    std::string rope;
    float ropeMagnitude = 1; // factor that RoPE puts on queries and keys (YaRN)
    /// Tokens of a chat turn that asks `instruction` about the document, up to where the answer
    /// starts.
    std::function<std::vector<std::int32_t>(const std::string& instruction)> turn;
    /// Text of a range of document tokens.
    std::function<std::string(std::uint32_t begin, std::uint32_t end)> text;
    /// The model's beacon parameters. Throws BadInput when it has none.
    std::function<const BeaconParameters&()> beacon;
    /// Turns keys (count, headDim) by the given position differences, purely (no magnitude).
    std::function<void(std::span<float> keys, std::span<const std::int32_t> deltas)> rotate;
    /// (queryHeads of the KV head, count) lengths of the values (count, headDim) of a KV head after
    /// the layer's output projection, for each query head of its group.
    std::function<std::vector<float>(std::uint32_t layer, std::uint32_t kvHead,
                                     std::span<const float> values)>
        projectedNorms;
    /// Runs rows beside the document, to find out something about the model.
    std::function<JobResult(Job job, KvStore& store, Hooks& hooks)> run;
    /// The backend's threads, for sums of a method's own. Not from inside a piece.
    ParallelFor parallelFor = inOnePiece;

    std::uint32_t prefixRows() const { return static_cast<std::uint32_t>(prefix.size()); }
    std::uint32_t documentRows() const { return static_cast<std::uint32_t>(document.size()); }
    std::uint32_t totalRows() const { return prefixRows() + documentRows(); }
    /// Document pairs per head on average that may stay: round half up of keep * n, at least 1
    /// (selection.md 1.6).
    std::uint32_t keptPerHead() const;
    /// The same for all heads together: rounded once (structural.md 1.5).
    std::uint64_t keptInAll() const;
    std::uint32_t pinnedRows() const;
    /// The value of a parameter; the method's default has been filled in.
    double setting(const std::string& key) const { return settings.at(key); }
};

/// A method at work on one document. It plans jobs, looks into the layer loop through the hooks,
/// and edits the store after each job. Everything it remembers between jobs must come from the
/// store and jobState(), so that replaying the stored jobs restores it.
class Method : public Hooks
{
public:
    /// h0: the next job, or nothing when the document is done. Called once after each job's end.
    virtual std::optional<Job> nextJob(const KvStore& store) = 0;

    /// What a job that was run, not replayed, gave: its logits or hidden rows, for jobState().
    virtual void onJobResult(const Job& /*job*/, const JobResult& /*result*/) {}

    /// h7: after a job, whether it was run or replayed from a checkpoint; may drop, turn or
    /// truncate.
    virtual void onJobEnd(const Job& /*job*/, KvStore& /*store*/) {}

    /// What the job just run found out, to be stored with its checkpoint; given back before
    /// onJobEnd on replay.
    virtual std::vector<std::byte> jobState() const { return {}; }
    /// Throws Damaged when the bytes are not what this job would have left.
    virtual void restoreJobState(const Job& /*job*/, std::span<const std::byte> /*state*/) {}

    /// What the method needs to know when questions are asked, once the document is done: stored
    /// with the context (Context::methodState).
    virtual std::vector<std::byte> artefactState() const { return {}; }

    /// Total cost of all jobs in any unit, and the cost of those that ended: for progress.
    virtual double totalCost() const = 0;
    virtual double doneCost() const = 0;

    /// Bytes held for scores.
    virtual std::size_t scoreBytes() const { return 0; }

    /// Sentences for the user about what went wrong without ending the work.
    virtual std::vector<std::string> warnings() const { return {}; }
};

/// How a method may be composed with other stages.
enum class Composition
{
    Closed,       // a way of reading of its own: no stages
    HeadScorer,   // scores whose scale differs from head to head: no allocator that compares heads
    SharedScorer, // scores that may be compared between heads and layers
    OwnAllocator  // the method is a scorer with a fixed allocator
};

/// A row of the table of methods, or one composed from a row and stages.
struct MethodEntry
{
    MethodInfo info;
    std::function<std::unique_ptr<Method>(const DocumentPlan& plan)> make;
    Composition composition = Composition::Closed;
    Allocator allocator = Allocator::Uniform; // when no other is named
    bool scoresChunks = true; // false: its score needs the whole document, so no chunkpress
    bool takesSnapkv = false; // of methods without stages: goes together with Stages::snapkv
    bool sharesKeys = false;  // pages of its contexts may lack keys (KvList::releaseKeys)
    bool keepsPinned = false; // of methods without stages: pinned tokens stay
    bool takesHeadTable = false;
    /// What becomes of the method while questions are answered; empty when its context is read like
    /// a full one. Throws Damaged when the context's method state is not what it left there.
    std::function<std::unique_ptr<AnswerMethod>(const Context& context, LoadedModel& model)>
        answer = {};
    /// Positions that prefix and document take up, for methods that use fewer than one for each
    /// row and so carry documents longer than the window. Empty: one for each row. May throw
    /// TooLarge when the plan's window is too small for this document whatever its length.
    std::function<std::uint64_t(const DocumentPlan& plan)> positions = {};
};

/// Every method, in the order in which the user sees them.
const std::vector<MethodEntry>& methodTable();

/// The entry of an id, or of a scorer with stages such as "snapkv+adakv" or
/// "keydiff+chunkpress+compact".
/// Throws BadInput naming the known ids or stages, or the reason why stages do not go together
/// (selection.md 5).
MethodEntry findMethod(const std::string& id);

/// Ids of the stages that go together with the method, each with the right other ones.
std::vector<std::string> allowedStages(const MethodEntry& entry);
/// Throws BadInput when tokens are pinned and the method has no way to keep them.
void checkPinned(const MethodEntry& entry, std::span<const kernels::EntryRange> pinned);

/// The settings with defaults filled in. Throws BadInput naming the allowed keys or range.
std::map<std::string, double> completeSettings(const MethodInfo& info,
                                               const std::map<std::string, double>& given);

// One per file in this folder.
MethodEntry activationBeaconMethod();
MethodEntry compactorMethod();
MethodEntry claMethod();
MethodEntry duoAttentionMethod();
MethodEntry expectedAttentionMethod();
MethodEntry fullMethod();
MethodEntry gemfilterMethod();
MethodEntry h2oMethod();
MethodEntry homerMethod();
MethodEntry keydiffMethod();
MethodEntry knormMethod();
MethodEntry kvzipHeadMethod();
MethodEntry kvzipMethod();
MethodEntry kvzipPlusMethod();
MethodEntry llmlinguaMethod();
MethodEntry lmInfiniteMethod();
MethodEntry minferenceMethod();
MethodEntry observedAttentionMethod();
MethodEntry parallelWindowsMethod();
MethodEntry podMethod();
MethodEntry pyramidkvMethod();
MethodEntry questMethod();
MethodEntry randomMethod();
MethodEntry snapkvMethod();
MethodEntry streamingLlmMethod();
MethodEntry tovaMethod();
MethodEntry windowMethod();

} // namespace engine
