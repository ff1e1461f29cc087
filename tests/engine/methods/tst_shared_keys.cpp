// Contexts whose layers share keys (PoD) or everything (CLA), from preparation to answers.

#include "engine/dialog/context.h"
#include "engine/kv/byte_stream.h"
#include "engine/methods/pod_answer.h"
#include "tests/engine/methods/reader_fixture.h"

#include <algorithm>
#include <doctest/doctest.h>

namespace {

using namespace engine;

constexpr std::uint32_t kSinks = 64;
constexpr std::uint32_t kRecent = 128;

PrepareOptions podOptions(KvType store, bool coded)
{
    PrepareOptions options;
    options.method = "pod";
    options.store = store;
    options.coded = coded;
    options.settings = {{"group", 2}, {"sinks", kSinks}, {"recent", kRecent}};
    return options;
}

std::shared_ptr<const Context> reload(const std::shared_ptr<LoadedModel>& model,
                                      const Context& context)
{
    return loadContext(model, [&](std::size_t index) { return writeSegment(context, index); }, {});
}

std::size_t pagesWithoutKeys(const Context& context)
{
    std::size_t count = 0;
    const KvShape shape = context.store().shape();
    for (std::uint32_t layer = 0; layer < shape.layers; ++layer) {
        for (std::uint32_t head = 0; head < shape.kvHeads; ++head) {
            for (const auto& page : context.store().list(layer, head).pages())
                count += page->keys.empty() ? 1 : 0;
        }
    }
    return count;
}

/// The context with another method state.
std::shared_ptr<const Context> withState(const Context& context, std::vector<std::byte> state)
{
    return std::make_shared<const Context>(context.info(), context.store(), context.ranges(),
                                           context.systemText(), std::move(state));
}

} // namespace

TEST_CASE("a PoD context without distant keys is stored, loaded and asked, with evidence")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(900);
    for (const KvType store : {KvType::F16, KvType::Kivi4}) {
        for (const bool coded : {false, true}) {
            const auto fresh = tests::prepare(model, text, podOptions(store, coded));
            const auto stored = reload(model, *fresh);
            INFO(storeFormatName({store, coded}));
            CHECK(pagesWithoutKeys(*fresh) > 0);
            CHECK(pagesWithoutKeys(*stored) == pagesWithoutKeys(*fresh));
            Conversation first(model, fresh);
            Conversation second(model, stored);
            const std::string question = text.substr(text.size() / 2, 60);
            const Answer a = first.ask(question, {.maxTokens = 12}, {});
            const Answer b = second.ask(question, {.maxTokens = 12}, {});
            CHECK(a.text == b.text);
            CHECK(a.evidence.size() == b.evidence.size());
            CHECK(b.tokensReread == 0);
            for (const Evidence& evidence : b.evidence)
                CHECK(!evidence.places.empty());
        }
    }
}

TEST_CASE("the keys that a PoD context saves are those of the formula, within a page a list")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(900);
    PrepareOptions dense = podOptions(KvType::F16, false);
    dense.method = "full";
    dense.settings = {};
    const auto full = tests::prepare(model, text, dense);
    const auto pod = tests::prepare(model, text, podOptions(KvType::F16, false));
    const ContextInfo& info = contextInfo(*full);
    const double saved = static_cast<double>(info.bytesStored - contextInfo(*pod).bytesStored);
    const LayerGroups groups = fixedGroups(info.layers, info.kvHeads, 2);
    const double wanted =
        sharedKeySaving(groups, info.tokens + info.prefixTokens, kSinks + kRecent) *
        static_cast<double>(info.bytesFull);
    const KvShape shape = full->store().shape();
    const double page = static_cast<double>(kernels::keyPageBytes(KvType::F16, shape.headDim));
    MESSAGE("saved ", saved, " bytes, formula ", wanted, ", a page ", page);
    CHECK(saved <= wanted);
    CHECK(saved >= wanted - page * (info.layers / 2) * info.kvHeads);
}

TEST_CASE("a state that does not fit the pages, or is none, is refused as damage")
{
    const auto model = tests::loadReader();
    const auto context =
        tests::prepare(model, tests::makeText(900), podOptions(KvType::F16, false));
    const KvShape shape = context->store().shape();
    CHECK_NOTHROW(makePodAnswer(*context));
    const auto refuse = [&](std::vector<std::byte> state) {
        CHECK_THROWS_AS(Conversation(model, withState(*context, std::move(state))), Error);
    };
    const SharedKeys good{fixedGroups(shape.layers, shape.kvHeads, 2), kSinks, kRecent, true};
    const auto bytes = writeSharedKeys(good);
    refuse({});
    refuse({bytes.begin(), bytes.end() - 1});
    SharedKeys identity = good; // its layers would read keys that are not there
    identity.groups = identityGroups(shape.layers, shape.kvHeads);
    refuse(writeSharedKeys(identity));
    SharedKeys wide = good; // so would recent tokens
    wide.recent = 4096;
    refuse(writeSharedKeys(wide));
    SharedKeys upwards = good;
    upwards.groups.owner.front() = 1;
    refuse(writeSharedKeys(upwards));
    SharedKeys none = good;
    none.recent = 0;
    refuse(writeSharedKeys(none));
}

TEST_CASE("a context without keys is refused under the name of a method that shares none")
{
    const auto model = tests::loadReader();
    const auto context =
        tests::prepare(model, tests::makeText(900), podOptions(KvType::F16, false));
    ContextInfo info = context->info();
    info.method = "full";
    info.settings = {};
    const Context renamed(info, context->store(), context->ranges(), context->systemText(), {});
    CHECK_THROWS_AS(reload(model, renamed), Error);
}

TEST_CASE("CLA keeps one layer of each group, and answers with it after loading")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(300);
    PrepareOptions options;
    options.method = "cla";
    options.store = KvType::F16;
    options.blockRows = 96;
    const auto context = tests::prepare(model, text, options);
    const KvShape shape = context->store().shape();
    for (std::uint32_t layer = 0; layer < shape.layers; ++layer) {
        for (std::uint32_t head = 0; head < shape.kvHeads; ++head)
            CHECK(context->store().list(layer, head).length() ==
                  (layer % 2 == 0 ? context->store().rowCount() : 0));
    }
    CHECK(contextInfo(*context).keptFraction == doctest::Approx(0.5));
    const auto stored = reload(model, *context);
    Conversation fresh(model, context);
    Conversation loaded(model, stored);
    const std::string question = text.substr(200, 60);
    CHECK(fresh.ask(question, {.maxTokens = 6}, {}).text ==
          loaded.ask(question, {.maxTokens = 6}, {}).text);

    // A group of one is dense.
    options.settings = {{"group", 1}};
    const auto dense = tests::prepare(model, text, options);
    options.method = "full";
    options.settings = {};
    const auto full = tests::prepare(model, text, options);
    for (std::size_t index = 1; index < segmentCount(*full); ++index)
        CHECK(writeSegment(*dense, index) == writeSegment(*full, index));
}
