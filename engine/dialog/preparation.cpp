#include "engine/dialog/context.h"
#include "engine/dialog/job_checkpoint.h"
#include "engine/dialog/prepare_options.h"
#include "engine/hash/sha256.h"
#include "engine/methods/rope_settings.h"
#include "engine/trace/process_memory.h"

#include <algorithm>
#include <chrono>

namespace engine {
namespace {

class Stopwatch
{
public:
    double seconds() const
    {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - m_start).count();
    }

private:
    std::chrono::steady_clock::time_point m_start = std::chrono::steady_clock::now();
};

std::string hashOf(std::string_view text)
{
    Sha256 hash;
    hash.update(std::as_bytes(std::span(text)));
    return hash.hexDigest();
}

} // namespace

class Preparation::Impl
{
public:
    Impl(std::shared_ptr<LoadedModel> loaded, std::string_view documentText,
         PrepareOptions prepareOptions)
        : model(std::move(loaded))
        , options(std::move(prepareOptions))
        , text(documentText)
        , prompts(*model, options.systemText, false)
        , store(model->kvShape(), KvType::F16)
    {
        const Stopwatch watch;
        resetPeakResidentBytes();
        checkPrepareOptions(options);
        const MethodEntry& entry = findMethod(options.method);
        tokens = prompts.document(text);
        plan = makePlan(*model, prompts, text, tokens, options);
        store.setRope(tableOf(model->config(), plan.settings));
        method = entry.make(plan);
        next = method->nextJob(store);
        seconds = watch.seconds();
    }

    /// Jobs tell document rows from beacons; the prefix is known only by its index.
    void markRoles()
    {
        std::vector<Role> roles = store.roles();
        std::fill_n(roles.begin(), plan.prefix.size(), Role::System);
        store.setRoles(std::move(roles));
    }

    void endJob(const Job& job)
    {
        method->onJobEnd(job, store);
        done += job.documentTokens;
        next = method->nextJob(store);
        if (!next || next->phase != job.phase)
            done = 0;
    }

    void sample(const std::string& phase)
    {
        MemorySample each;
        each.seconds = seconds;
        each.phase = phase;
        each.weights = model->weights().bytes;
        each.keyValues = store.bytes();
        each.scores = method->scoreBytes();
        each.buffers = model->transformer().bufferBytes();
        each.process = residentBytes();
        samples.push_back(std::move(each));
    }

    double keptFraction() const
    {
        std::uint64_t kept = 0;
        const KvShape shape = store.shape();
        for (std::uint32_t layer = 0; layer < shape.layers; ++layer) {
            for (std::uint32_t head = 0; head < shape.kvHeads; ++head)
                kept += store.list(layer, head).length() -
                        std::min(store.list(layer, head).length(), plan.prefixRows());
        }
        return static_cast<double>(kept) /
               (static_cast<double>(plan.documentRows()) * shape.layers * shape.kvHeads);
    }

    ContextInfo describe() const
    {
        ContextInfo info;
        info.modelName = model->info().name;
        info.modelIdentity = model->identity();
        info.method = options.method;
        info.settings = plan.settings;
        info.keep = options.keep;
        info.store = options.store;
        info.coded = options.coded;
        info.textHash = hashOf(text);
        info.tokens = plan.document.size();
        info.prefixTokens = plan.prefix.size();
        info.keptFraction = keptFraction();
        info.bytesFull = plan.totalRows() * model->info().kvBytesPerToken;
        info.bytesStored = store.bytes();
        info.peakBytes = std::max(earlierPeakBytes, peakResidentBytes());
        info.seconds = seconds;
        info.layers = plan.layers;
        info.kvHeads = plan.kvHeads;
        info.rope = ropeOf(model->config(), plan.settings).canonical();
        info.window = plan.contextLength;
        return info;
    }

    std::shared_ptr<LoadedModel> model;
    PrepareOptions options;
    std::string text;
    PromptTokens prompts;
    TokenisedText tokens;
    DocumentPlan plan;
    KvStore store;
    std::unique_ptr<Method> method;
    std::optional<Job> next;
    std::vector<std::byte> checkpoint;
    std::uint64_t done = 0; // document tokens within the phase
    double seconds = 0;     // of work, in this run and in those whose pieces were restored
    std::uint64_t earlierPeakBytes = 0; // of those runs
    std::vector<MemorySample> samples;
    std::vector<std::string> warnings; // of the method, once it is gone
};

Preparation::Preparation(std::shared_ptr<LoadedModel> model, std::string_view documentText,
                         const PrepareOptions& options)
    : m_impl(std::make_unique<Impl>(std::move(model), documentText, options))
{}

Preparation::~Preparation() = default;

void Preparation::restore(std::span<const std::byte> piece)
{
    Impl& impl = *m_impl;
    if (!impl.next) {
        throw Error(
            ErrorCode::Mismatch,
            "The saved progress is longer than this preparation. Prepare the document again.");
    }
    const Stopwatch watch;
    const Job job = std::move(*impl.next);
    const JobRemains remains = replayJobCheckpoint(job, impl.store, impl.model->backend(), piece);
    impl.method->restoreJobState(job, remains.state);
    impl.endJob(job);
    impl.seconds += remains.seconds + watch.seconds();
    impl.earlierPeakBytes = std::max(impl.earlierPeakBytes, remains.peakBytes);
    impl.sample(job.phase);
}

bool Preparation::advance(std::stop_token stop)
{
    Impl& impl = *m_impl;
    if (!impl.next)
        return false;
    const Stopwatch watch;
    const JobResult result =
        impl.model->transformer().run(*impl.next, impl.store, *impl.method, std::move(stop));
    const Job job = std::move(*impl.next);
    impl.method->onJobResult(job, result);
    impl.checkpoint = writeJobCheckpoint(
        job, impl.store, {impl.method->jobState(), watch.seconds(), peakResidentBytes()});
    impl.endJob(job);
    impl.seconds += watch.seconds();
    impl.sample(job.phase);
    return impl.next.has_value();
}

std::vector<std::byte> Preparation::takeCheckpoint()
{
    return std::exchange(m_impl->checkpoint, {});
}

PrepareProgress Preparation::progress() const
{
    const Impl& impl = *m_impl;
    PrepareProgress progress;
    progress.phase = impl.next ? impl.next->phase : "Packing";
    progress.tokensDone = impl.next ? impl.done : impl.plan.documentRows();
    progress.tokensTotal = impl.plan.documentRows();
    progress.fraction = impl.next ? impl.method->doneCost() / impl.method->totalCost() : 1.0;
    return progress;
}

std::vector<MemorySample> Preparation::ledger() const
{
    return m_impl->samples;
}

std::vector<std::string> Preparation::warnings() const
{
    return m_impl->method ? m_impl->method->warnings() : m_impl->warnings;
}

std::shared_ptr<const Context> Preparation::finish()
{
    Impl& impl = *m_impl;
    const Stopwatch watch;
    std::vector<std::byte> methodState = impl.method->artefactState();
    impl.warnings = impl.method->warnings();
    impl.method.reset(); // its scores are as large as a part of what is kept
    impl.markRoles();
    impl.store.pack(impl.options.store, impl.model->backend());
    impl.seconds += watch.seconds();
    ContextInfo info = impl.describe();
    return std::make_shared<const Context>(std::move(info), std::move(impl.store),
                                           std::move(impl.tokens.ranges), impl.options.systemText,
                                           std::move(methodState));
}

} // namespace engine
