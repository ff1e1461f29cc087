// PoD at the time of questions: the rows of a conversation see distant entries with the keys of the
// owning layer, as the document's own rows did. New rows keep their keys in every layer, since a
// conversation is short.

#include "engine/methods/pod_answer.h"

#include "engine/dialog/context.h"
#include "engine/kv/byte_stream.h"

#include <algorithm>

namespace engine {
namespace {

constexpr const char* kName = "The prepared document";

/// Contexts of versions that knew no skipping do not name it.
float nearShareOf(const Context& context, const ByteReader& reader)
{
    const auto setting = context.info().settings.find("skip");
    if (setting == context.info().settings.end())
        return SharedKeys{}.nearShare;
    if (!(setting->second >= 0 && setting->second <= 101))
        reader.fail("skip");
    return static_cast<float>(setting->second / 100);
}

SharedKeys readSharedKeys(const Context& context)
{
    const KvShape shape = context.store().shape();
    ByteReader reader(context.methodState(), kName);
    SharedKeys keys;
    keys.groups = {shape.layers, shape.kvHeads, reader.getArray<std::uint32_t>("layer groups")};
    keys.sinks = reader.get<std::uint32_t>("first tokens");
    keys.recent = reader.get<std::uint32_t>("recent tokens");
    const auto sharesScores = reader.get<std::uint8_t>("sharing");
    reader.expectEnd();
    if (keys.groups.owner.size() != std::size_t{shape.layers} * shape.kvHeads)
        reader.fail("layer groups");
    for (std::uint32_t layer = 0; layer < shape.layers; ++layer) {
        for (std::uint32_t head = 0; head < shape.kvHeads; ++head) {
            const std::uint32_t owner = keys.groups.ownerOf(layer, head);
            if (owner > layer || keys.groups.ownerOf(owner, head) != owner)
                reader.fail("layer groups");
        }
    }
    if (keys.recent == 0 || sharesScores > 1)
        reader.fail("sharing");
    keys.sharesScores = sharesScores == 1;
    keys.nearShare = nearShareOf(context, reader);
    if (keys.nearShare <= 1 && !keys.sharesScores)
        reader.fail("sharing");
    return keys;
}

/// A list and its owner's stand for the same rows and can be read together, and no page that a
/// later row needs lacks its keys.
bool fits(const SharedKeys& keys, const KvList& list, const KvList& owner, bool owns)
{
    if (list.length() != owner.length())
        return false;
    for (std::uint32_t entry = 0; !owns && entry < list.length(); ++entry) {
        if (list.row(entry) != owner.row(entry))
            return false;
    }
    const std::uint32_t distantEnd = list.length() + 1 - std::min(list.length(), keys.recent);
    for (std::uint32_t page = 0; page < list.pages().size(); ++page) {
        const KvPage& each = *list.pages()[page];
        const KvPage& lender = *owner.pages()[page];
        const std::uint64_t begin = std::uint64_t{page} * kernels::kPageRows;
        const bool isDistant =
            begin >= keys.sinks && begin + kernels::kPageRows <= distantEnd && !owns;
        if (each.type != lender.type || lender.keys.empty() || (each.keys.empty() && !isDistant))
            return false;
    }
    return true;
}

class PodAnswer final : public AnswerMethod
{
public:
    explicit PodAnswer(std::shared_ptr<const SharedKeys> keys)
        : m_keys(std::move(keys))
    {}

    std::unique_ptr<AnswerMethod> clone() const override
    {
        return std::make_unique<PodAnswer>(*this);
    }
    void segments(const LayerStep& step, std::vector<Segment>& segments) override
    {
        addSharedKeySegments(*m_keys, step, segments);
    }
    bool keepsQuery(const LayerStep& step) const override
    {
        return m_keys->sharesScores && m_keys->lends(step.layer);
    }

private:
    std::shared_ptr<const SharedKeys> m_keys;
};

} // namespace

std::vector<std::byte> writeSharedKeys(const SharedKeys& keys)
{
    ByteWriter writer;
    writer.putArray(std::span<const std::uint32_t>(keys.groups.owner));
    writer.put(keys.sinks);
    writer.put(keys.recent);
    writer.put(static_cast<std::uint8_t>(keys.sharesScores));
    return writer.take();
}

std::unique_ptr<AnswerMethod> makePodAnswer(const Context& context)
{
    const auto keys = std::make_shared<const SharedKeys>(readSharedKeys(context));
    const KvStore& store = context.store();
    for (std::uint32_t layer = 0; layer < store.shape().layers; ++layer) {
        for (std::uint32_t head = 0; head < store.shape().kvHeads; ++head) {
            const std::uint32_t owner = keys->groups.ownerOf(layer, head);
            if (!fits(*keys, store.list(layer, head), store.list(owner, head), owner == layer))
                ByteReader({}, kName).fail("keys");
        }
    }
    return std::make_unique<PodAnswer>(keys);
}

} // namespace engine
