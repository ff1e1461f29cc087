// Methods at work while questions are answered: what they may do to the store, how a conversation
// goes back, and that the evidence sees what the method let the rows see.

#include "engine/dialog/context.h"
#include "engine/methods/answering.h"
#include "engine/model/model.h"
#include "tests/engine/methods/reader_fixture.h"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <numeric>

namespace {

using namespace engine;

std::shared_ptr<const Context> fullContext(const std::shared_ptr<LoadedModel>& model,
                                           const std::string& text)
{
    PrepareOptions options;
    options.method = "full";
    options.store = KvType::F16;
    return tests::prepare(model, text, options);
}

/// The first words of a text, which the reader goes on from.
std::string beginningOf(const std::string& text)
{
    std::size_t end = 0;
    for (int words = 0; words < 6; ++words)
        end = text.find(' ', end + 1);
    return text.substr(0, end);
}

template <typename Derived>
class Cloned : public AnswerMethod
{
public:
    std::unique_ptr<AnswerMethod> clone() const override
    {
        return std::make_unique<Derived>(static_cast<const Derived&>(*this));
    }
};

/// Drops the oldest entry behind the prefix from every list after each job, and can be made to end
/// the next job of a role.
class Evicting final : public Cloned<Evicting>
{
public:
    struct Watch
    {
        std::uint32_t length = 0;
        std::uint32_t evictions = 0;
        ErrorCode error = ErrorCode::Cancelled;
        std::optional<Role> endsIn;
    };
    Evicting(std::uint32_t prefix, Watch& watch)
        : m_prefix(prefix)
        , m_watch(&watch)
    {}

    std::size_t rowsPerJob(Role role) const override { return role == Role::Generated ? 1 : 64; }

    void afterJob(const Job& job, KvStore& store) override
    {
        CHECK(job.tokens.size() <= rowsPerJob(job.role));
        const KvShape shape = store.shape();
        std::vector<std::uint32_t> kept(store.list(0, 0).length() - 1);
        std::iota(kept.begin(), kept.end(), 0U);
        for (std::size_t i = m_prefix; i < kept.size(); ++i)
            ++kept[i];
        for (std::uint32_t layer = 0; layer < shape.layers; ++layer) {
            for (std::uint32_t head = 0; head < shape.kvHeads; ++head)
                store.list(layer, head).keep(kept, shape.headDim);
        }
        ++m_watch->evictions;
        m_watch->length = store.list(0, 0).length();
        if (m_watch->endsIn == job.role)
            throw Error(m_watch->error, "Ended by the test.");
    }

private:
    std::uint32_t m_prefix;
    Watch* m_watch;
};

/// Puts a copy of the token before a job, at its position, in front of the job's rows. Twins weigh
/// as one where they are all that a head looks at, so the reader does not notice them.
class Inserting final : public Cloned<Inserting>
{
public:
    explicit Inserting(std::int32_t last)
        : m_last(last)
    {}

    void onRows(Job& job) override
    {
        job.tokens.insert(job.tokens.begin(), m_last);
        job.positions.insert(job.positions.begin(), job.positions.front() - 1);
    }
    void afterJob(const Job& job, KvStore& /*store*/) override { m_last = job.tokens.back(); }

private:
    std::int32_t m_last;
};

/// Cuts what the rows see into three parts.
class Splitting final : public Cloned<Splitting>
{
public:
    void segments(const LayerStep& step, std::vector<Segment>& segments) override
    {
        const auto rows = static_cast<std::uint32_t>(step.rows.size());
        const std::uint32_t heads = step.store->shape().kvHeads;
        const std::uint32_t length = step.store->list(step.layer, 0).length();
        const std::uint32_t before = length - rows;
        for (std::uint32_t part = 0; part < 3; ++part) {
            Segment segment;
            for (std::uint32_t row = 0; row < rows; ++row) {
                const std::uint32_t end = part == 2 ? before + row + 1 : before / 3 * (part + 1);
                segment.visible.insert(segment.visible.end(), heads, {before / 3 * part, end});
            }
            segments.push_back(std::move(segment));
        }
    }
};

/// Reads half of the document again into a store of its own before each question.
class Rereading final : public Cloned<Rereading>
{
public:
    Rereading(LoadedModel& model, std::span<const std::int32_t> document, std::uint32_t from)
        : m_model(model)
        , m_document(document)
    {
        m_tokenOfRow.resize(document.size());
        std::iota(m_tokenOfRow.begin(), m_tokenOfRow.end(), from);
    }

    void beforeQuestion(std::span<const std::int32_t> /*turn*/, KvStore& store,
                        const std::stop_token& stop) override
    {
        KvStore fresh(store.shape(), KvType::F16);
        Job job;
        job.tokens = {1}; // the prefix
        job.tokens.insert(job.tokens.end(), m_document.begin(), m_document.end());
        job.positions.resize(job.tokens.size());
        std::iota(job.positions.begin(), job.positions.end(), 0);
        job.roles.resize(job.tokens.size(), Role::Document);
        job.roles[0] = Role::System;
        m_model.transformer().run(job, fresh, stop);
        store = std::move(fresh);
    }

    std::optional<std::span<const std::uint32_t>> tokenOfRow() const override
    {
        return m_tokenOfRow;
    }

private:
    LoadedModel& m_model;
    std::span<const std::int32_t> m_document;
    std::vector<std::uint32_t> m_tokenOfRow;
};

const AskOptions kAsk{.maxTokens = 12, .raw = true};

} // namespace

TEST_CASE("a method may drop entries after every job, and its answer has its evidence")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(200);
    const auto context = fullContext(model, text);
    const std::uint32_t before = context->store().list(0, 0).length();
    Evicting::Watch watch;
    Conversation conversation(model, context, {},
                              std::make_unique<Evicting>(context->prefixRows(), watch));
    const std::string question = beginningOf(text.substr(text.size() / 2));
    const Answer answer = conversation.ask(question, kAsk, {});
    CHECK(!answer.text.empty());
    CHECK(answer.tokens == 12);
    CHECK(answer.tokensReread == 0);
    // The question but its last token in one job; then 12 rows that are read twice, the second time
    // with what the last token left.
    CHECK(watch.evictions == 1 + 12 + 13);
    CHECK(watch.length == before + (answer.tokensInContext - before) - 1 - 13);
    REQUIRE(!answer.evidence.empty());
    CHECK(context->store().list(0, 0).length() == before);
}

TEST_CASE("after an error or a stop the dropped entries are back")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(200);
    const auto context = fullContext(model, text);
    const std::string question = beginningOf(text.substr(text.size() / 2));
    Evicting::Watch watch;
    const auto converse = [&] {
        return Conversation(model, context, {},
                            std::make_unique<Evicting>(context->prefixRows(), watch));
    };
    Conversation undisturbed = converse();
    const Answer one = undisturbed.ask(question, kAsk, {});
    const Answer two = undisturbed.ask(question, kAsk, {});

    Conversation disturbed = converse();
    const std::uint64_t left = disturbed.tokensLeft();
    for (const Role role : {Role::Query, Role::Generated}) {
        watch.endsIn = role;
        watch.error = ErrorCode::Internal;
        CHECK_THROWS_AS(disturbed.ask(question, kAsk, {}), Error);
        watch.error = ErrorCode::Cancelled;
        CHECK(disturbed.ask(question, kAsk, {}).stoppedByUser);
        CHECK(disturbed.tokensLeft() == left);
    }
    watch.endsIn.reset();
    const Answer first = disturbed.ask(question, kAsk, {});
    CHECK(first.text == one.text);
    CHECK(first.tokensInContext == one.tokensInContext);
    watch.endsIn = Role::Query;
    CHECK(disturbed.ask(question, kAsk, {}).stoppedByUser);
    watch.endsIn.reset();
    const Answer second = disturbed.ask(question, kAsk, {});
    CHECK(second.text == two.text);
    CHECK(second.tokensInContext == two.tokensInContext);
    REQUIRE(second.evidence.size() == two.evidence.size());
    for (std::size_t i = 0; i < second.evidence.size(); ++i) {
        REQUIRE(second.evidence[i].places.size() == two.evidence[i].places.size());
        for (std::size_t j = 0; j < second.evidence[i].places.size(); ++j)
            CHECK(second.evidence[i].places[j].token == two.evidence[i].places[j].token);
    }
}

TEST_CASE("a method may insert rows into the jobs of questions and answers")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(200);
    const auto context = fullContext(model, text);
    const std::string question = beginningOf(text);
    Conversation plain(model, context);
    const auto document = model->tokenizer().encode(text, SpecialTokens::AsText, false).ids;
    Conversation longer(model, context, {}, std::make_unique<Inserting>(document.back()));
    const Answer a = plain.ask(question, kAsk, {});
    const Answer b = longer.ask(question, kAsk, {});
    CHECK(a.text == b.text);
    CHECK(a.tokens == b.tokens);
    // One more row for each job: the question, its last token, and the answer, which is read once
    // more sentence by sentence, and then its last token.
    const std::uint64_t jobs = 1 + b.evidence.size() + 1;
    CHECK(b.tokensInContext == a.tokensInContext + jobs);
    CHECK(longer.tokensLeft() == plain.tokensLeft());
}

TEST_CASE("the evidence of rows that attend in parts is that of whole ones")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(200);
    const auto context = fullContext(model, text);
    const std::string question = beginningOf(text);
    Conversation whole(model, context);
    Conversation parts(model, context, {}, std::make_unique<Splitting>());
    const Answer a = whole.ask(question, kAsk, {});
    const Answer b = parts.ask(question, kAsk, {});
    CHECK(a.text == b.text);
    REQUIRE(!a.evidence.empty());
    REQUIRE(a.evidence.size() == b.evidence.size());
    std::vector<double> masses(context->ranges().size());
    for (std::size_t i = 0; i < a.evidence.size(); ++i) {
        REQUIRE(a.evidence[i].places.size() == b.evidence[i].places.size());
        std::ranges::fill(masses, 0.0);
        for (const auto& place : a.evidence[i].places)
            masses[place.token] = place.mass;
        for (const auto& place : b.evidence[i].places)
            CHECK(std::abs(masses[place.token] - place.mass) < 1e-4);
    }
}

TEST_CASE("what a method reads again is counted, and found where it stands in the document")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(200);
    const auto context = fullContext(model, text);
    const auto document = model->tokenizer().encode(text, SpecialTokens::AsText, false).ids;
    REQUIRE(context->prefixRows() == 1);
    const auto half = static_cast<std::uint32_t>(document.size() / 2);
    Conversation conversation(
        model, context, {},
        std::make_unique<Rereading>(*model, std::span(document).subspan(half), half));
    const std::string question = beginningOf(text.substr(text.size() * 3 / 4));
    const Answer answer = conversation.ask(question, kAsk, {});
    CHECK(answer.tokensReread == document.size() - half);
    CHECK(answer.tokensInContext < document.size());
    REQUIRE(!answer.evidence.empty());
    const auto& places = answer.evidence.front().places;
    REQUIRE(!places.empty());
    for (const auto& place : places)
        CHECK(place.token >= half);
    // The plain conversation looks at the same place of the document.
    Conversation plain(model, context);
    const Answer same = plain.ask(question, kAsk, {});
    CHECK(same.tokensReread == 0);
    CHECK(same.text == answer.text);
    const std::uint32_t best = same.evidence.front().places.front().token;
    CHECK(std::ranges::find(places, best, &Evidence::Place::token) != places.end());
}
