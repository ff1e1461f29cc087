// Loading a stored context. The bytes are treated as hostile: every count is compared with what the
// model, the header and the rest of the segment allow before it is used.

#include "engine/dialog/context.h"
#include "engine/dialog/context_format.h"
#include "engine/kv/page_coder.h"
#include "engine/methods/method.h"
#include "engine/methods/rope_settings.h"
#include "engine/model/model.h"

#include <algorithm>
#include <cmath>
#include <future>

namespace engine {
namespace {

constexpr const char* kName = "The prepared document";

struct ListPlan
{
    std::vector<std::uint32_t> rows;
    std::vector<PageForm> pages;
};

struct Header
{
    ContextInfo info;
    std::string systemText;
    std::vector<std::byte> methodState;
    std::uint32_t segments = 0;
    KvShape shape;
    KvType working = KvType::F16;
    std::int32_t nextPosition = 0;
    std::vector<std::int32_t> positions;
    std::vector<Role> roles;
    std::vector<ByteRange> ranges;
    std::vector<ListPlan> lists;
};

KvType readType(ByteReader& reader)
{
    const auto number = reader.get<std::uint8_t>("storage type");
    if (number > static_cast<std::uint8_t>(KvType::Kivi2))
        reader.fail("storage type");
    return static_cast<KvType>(number);
}

PageForm readPageForm(ByteReader& reader)
{
    const auto byte = reader.get<std::uint8_t>("storage type");
    const auto type = static_cast<std::uint8_t>(byte & ~kNoKeysBit);
    if (type > static_cast<std::uint8_t>(KvType::Kivi2))
        reader.fail("storage type");
    return {static_cast<KvType>(type), (byte & kNoKeysBit) == 0};
}

ListPlan readList(ByteReader& reader, std::uint32_t rowCount)
{
    ListPlan list;
    const auto length = reader.get<std::uint32_t>("list length");
    if (length > rowCount)
        reader.fail("list length");
    std::uint64_t row = 0;
    for (std::uint32_t entry = 0; entry < length; ++entry) {
        const std::uint32_t step = reader.getVarint("list rows");
        row += step;
        if (row >= rowCount || (entry > 0 && step == 0))
            reader.fail("list rows");
        list.rows.push_back(static_cast<std::uint32_t>(row));
    }
    const std::size_t pages = (length + kernels::kPageRows - 1) / kernels::kPageRows;
    for (std::size_t page = 0; page < pages; ++page) {
        list.pages.push_back(readPageForm(reader));
        const bool full = (page + 1) * kernels::kPageRows <= length;
        if (!full && (!kernels::isAppendable(list.pages.back().type) || !list.pages.back().hasKeys))
            reader.fail("storage type of the last page");
    }
    return list;
}

void checkShape(ByteReader& reader, const KvShape& stored, const KvShape* expected)
{
    if (stored.layers == 0 || stored.kvHeads == 0 || stored.layers > kMaxLists / stored.kvHeads)
        reader.fail("shape");
    if (expected != nullptr &&
        (stored.layers != expected->layers || stored.kvHeads != expected->kvHeads ||
         stored.headDim != expected->headDim))
        reader.fail("shape");
}

/// First the prefix, then the document's tokens with the beacons that stand behind them.
void checkRoles(ByteReader& reader, const Header& header)
{
    const std::uint64_t prefix = header.info.prefixTokens;
    std::uint64_t tokens = 0;
    for (std::size_t row = 0; row < header.roles.size(); ++row) {
        const Role role = header.roles[row];
        if (row < prefix ? role != Role::System : !isOfDocument(role))
            reader.fail("roles");
        if (role == Role::Beacon && tokens == 0)
            reader.fail("roles");
        tokens += role == Role::Document ? 1 : 0;
    }
    if (header.roles.size() < prefix || tokens != header.info.tokens)
        reader.fail("token counts");
}

/// `expected` is the model's shape, or null when only the facts are wanted.
Header readHeader(std::span<const std::byte> bytes, const KvShape* expected)
{
    ByteReader reader(bytes, kName);
    Header header;
    header.info = readContextInfo(reader);
    header.systemText = reader.getText("system text");
    header.methodState = reader.getArray<std::byte>("method state");
    header.segments = reader.get<std::uint32_t>("segments");
    header.shape = reader.get<KvShape>("shape");
    checkShape(reader, header.shape, expected);
    header.working = readType(reader);
    if (!kernels::isAppendable(header.working))
        reader.fail("working type");
    header.nextPosition = reader.get<std::int32_t>("next position");
    header.positions = reader.getArray<std::int32_t>("positions");
    const auto roles = reader.getArray<std::uint8_t>("roles");
    if (roles.size() != header.positions.size() || roles.size() > kMaxTokens)
        reader.fail("roles");
    for (const std::uint8_t role : roles) {
        if (role > static_cast<std::uint8_t>(Role::Beacon))
            reader.fail("roles");
        header.roles.push_back(static_cast<Role>(role));
    }
    header.ranges = reader.getArray<ByteRange>("token ranges");
    const ContextInfo& info = header.info;
    // The facts are shown with the counts of the lists, so the two must speak of one shape.
    if (info.layers != header.shape.layers || info.kvHeads != header.shape.kvHeads)
        reader.fail("layers and heads");
    if (std::ranges::any_of(header.ranges, [](const ByteRange& r) { return r.begin > r.end; }))
        reader.fail("token ranges");
    if (header.ranges.size() != info.tokens || header.nextPosition < 0)
        reader.fail("token counts");
    checkRoles(reader, header);
    const auto rowCount = static_cast<std::uint32_t>(header.positions.size());
    for (std::uint32_t index = 0; index < header.shape.layers * header.shape.kvHeads; ++index)
        header.lists.push_back(readList(reader, rowCount));
    reader.expectEnd();
    return header;
}

std::size_t pageBytes(const PageForm& form, std::size_t headDim)
{
    return (form.hasKeys ? kernels::keyPageBytes(form.type, headDim) : 0) +
           kernels::valuePageBytes(form.type, headDim);
}

/// Only a method that gives these entries other keys can use a page without keys.
void checkPagesWithoutKeys(const Header& header, const ByteReader& reader)
{
    const auto lacksKeys = [](const PageForm& form) { return !form.hasKeys; };
    const bool some = std::ranges::any_of(header.lists, [&](const ListPlan& list) {
        return std::ranges::any_of(list.pages, lacksKeys);
    });
    if (some && !findMethod(header.info.method).sharesKeys)
        reader.fail("keys");
}

std::vector<std::shared_ptr<const KvPage>> readPlainPages(std::span<const PageForm> forms,
                                                          std::size_t headDim, ByteReader& reader)
{
    std::vector<std::shared_ptr<const KvPage>> pages;
    for (const PageForm& form : forms) {
        auto page = std::make_shared<KvPage>();
        page->type = form.type;
        const std::size_t keyBytes = form.hasKeys ? kernels::keyPageBytes(form.type, headDim) : 0;
        const auto keys = reader.getBytes(keyBytes, "keys");
        const auto values = reader.getBytes(kernels::valuePageBytes(form.type, headDim), "values");
        page->keys.assign(keys.begin(), keys.end());
        page->values.assign(values.begin(), values.end());
        pages.push_back(std::move(page));
    }
    return pages;
}

void readPart(ByteReader& reader, const SegmentPart& part, const Header& header, KvStore& store)
{
    const std::size_t headDim = header.shape.headDim;
    const ListPlan& plan = header.lists[part.list];
    KvList& list = store.list(part.list / header.shape.kvHeads, part.list % header.shape.kvHeads);
    const auto forms = std::span(plan.pages).subspan(part.firstPage, part.pageCount);
    const auto pages = header.info.coded ? readCodedPages(forms, headDim, reader)
                                         : readPlainPages(forms, headDim, reader);
    for (std::size_t i = 0; i < pages.size(); ++i) {
        const std::size_t first = (part.firstPage + i) * kernels::kPageRows;
        const std::size_t count = std::min(kernels::kPageRows, plan.rows.size() - first);
        list.adoptPage(pages[i], std::span(plan.rows).subspan(first, count));
    }
}

} // namespace

void checkIdentity(const ContextInfo& info, const LoadedModel& model, std::string_view textHash)
{
    if (info.modelIdentity != model.identity()) {
        const std::string other = info.modelName == model.info().name
                                      ? "another file of the same name"
                                      : model.info().name;
        throw Error(ErrorCode::Mismatch, "The document was prepared for " + info.modelName +
                                             ", not for " + other +
                                             ". Choose that model, or prepare the document again.");
    }
    if (info.rope != ropeOf(model.config(), info.settings).canonical() ||
        info.window != windowOf(model.config(), info.settings)) {
        throw Error(ErrorCode::Mismatch,
                    "The document was prepared with other settings of the model's positions than "
                    "the ones stored with it. Prepare it again.");
    }
    if (!textHash.empty() && info.textHash != textHash) {
        throw Error(ErrorCode::Mismatch,
                    "The document's text has changed since it was prepared. Prepare it again.");
    }
}

void writeContextInfo(ByteWriter& writer, const ContextInfo& info)
{
    writer.put(kContextMagic);
    writer.put(kContextVersion);
    writer.putText(info.modelName);
    writer.putText(info.modelIdentity);
    writer.putText(info.method);
    writer.put(static_cast<std::uint32_t>(info.settings.size()));
    for (const auto& [key, value] : info.settings) {
        writer.putText(key);
        writer.put(value);
    }
    writer.put(info.keep);
    writer.put(info.store);
    writer.putText(info.textHash);
    for (const std::uint64_t number :
         {info.tokens, info.prefixTokens, info.bytesFull, info.bytesStored, info.peakBytes})
        writer.put(number);
    writer.put(info.keptFraction);
    writer.put(info.seconds);
    writer.put(info.layers);
    writer.put(info.kvHeads);
    writer.put(static_cast<std::uint8_t>(info.coded));
    writer.putText(info.rope);
    writer.put(info.window);
}

ContextInfo readContextInfo(ByteReader& reader)
{
    if (reader.get<std::uint32_t>("magic") != kContextMagic)
        reader.fail("magic");
    const auto version = reader.get<std::uint32_t>("version");
    if (version != kContextVersion) {
        throw Error(ErrorCode::Unsupported,
                    "The document was prepared by another version of Epitome (format " +
                        std::to_string(version) + "). Prepare it again.");
    }
    ContextInfo info;
    info.modelName = reader.getText("model name");
    info.modelIdentity = reader.getText("model identity");
    info.method = reader.getText("method");
    const auto settings = reader.get<std::uint32_t>("settings");
    for (std::uint32_t i = 0; i < settings; ++i) {
        const std::string key = reader.getText("setting");
        info.settings[key] = reader.get<double>("setting value");
    }
    info.keep = reader.get<double>("keep");
    info.store = readType(reader);
    info.textHash = reader.getText("text hash");
    for (std::uint64_t* number :
         {&info.tokens, &info.prefixTokens, &info.bytesFull, &info.bytesStored, &info.peakBytes})
        *number = reader.get<std::uint64_t>("sizes");
    info.keptFraction = reader.get<double>("kept fraction");
    info.seconds = reader.get<double>("seconds");
    info.layers = reader.get<std::uint32_t>("layers");
    info.kvHeads = reader.get<std::uint32_t>("heads");
    const auto coded = reader.get<std::uint8_t>("coding");
    if (coded > 1)
        reader.fail("coding");
    info.coded = coded == 1;
    info.rope = reader.getText("positions");
    info.window = reader.get<std::uint64_t>("window");
    if (info.tokens > kMaxTokens || info.prefixTokens > kMaxTokens)
        reader.fail("tokens");
    if (!std::isfinite(info.keep) || !std::isfinite(info.keptFraction) ||
        !std::isfinite(info.seconds))
        reader.fail("statistics");
    return info;
}

ContextInfo readContextInfo(std::span<const std::byte> headerSegment)
{
    ByteReader reader(headerSegment, kName);
    return readContextInfo(reader);
}

std::vector<std::uint32_t> readKeptCounts(std::span<const std::byte> headerSegment)
{
    const Header header = readHeader(headerSegment, nullptr);
    std::vector<std::uint32_t> counts;
    for (const ListPlan& list : header.lists) {
        counts.push_back(static_cast<std::uint32_t>(std::ranges::count_if(
            list.rows, [&](std::uint32_t row) { return isOfDocument(header.roles[row]); })));
    }
    return counts;
}

std::vector<ByteRange> readTokenRanges(std::span<const std::byte> headerSegment)
{
    return readHeader(headerSegment, nullptr).ranges;
}

std::shared_ptr<const Context>
loadContext(const std::shared_ptr<LoadedModel>& model,
            const std::function<std::vector<std::byte>(std::size_t)>& readSegment,
            std::string_view textHash)
{
    const std::vector<std::byte> first = readSegment(0);
    const ContextInfo info = readContextInfo(std::span<const std::byte>(first));
    checkIdentity(info, *model, textHash);
    return readContext(model->kvShape(), first, readSegment,
                       tableOf(model->config(), info.settings));
}

std::shared_ptr<const Context>
readContext(const KvShape& shape, std::span<const std::byte> headerSegment,
            const std::function<std::vector<std::byte>(std::size_t)>& readSegment,
            std::shared_ptr<const RopeTable> rope)
{
    Header header = readHeader(headerSegment, &shape);
    const auto plan = planSegments(
        static_cast<std::uint32_t>(header.lists.size()),
        [&](std::uint32_t list) {
            return static_cast<std::uint32_t>(header.lists[list].pages.size());
        },
        [&](std::uint32_t list, std::uint32_t page) {
            return pageBytes(header.lists[list].pages[page], header.shape.headDim);
        });
    if (plan.size() + 1 != header.segments) {
        throw Error(ErrorCode::Damaged,
                    std::string(kName) + " is damaged (segments). Prepare the document again.");
    }
    checkPagesWithoutKeys(header, ByteReader(headerSegment, kName));
    KvStore store(header.shape, header.working);
    store.setRope(std::move(rope));
    store.adoptRows(std::move(header.positions), std::move(header.roles), header.nextPosition);
    // The next segment is fetched and checked while this one becomes pages. Also when a segment is
    // refused, the future waits for its thread before it goes.
    std::future<std::vector<std::byte>> ahead;
    const auto fetch = [&](std::size_t index) {
        if (index < plan.size())
            ahead = std::async(std::launch::async, readSegment, index + 1);
    };
    fetch(0);
    for (std::size_t index = 0; index < plan.size(); ++index) {
        const std::vector<std::byte> bytes = ahead.get();
        fetch(index + 1);
        ByteReader reader(bytes, kName);
        if (reader.get<std::uint32_t>("segment magic") != kSegmentMagic ||
            reader.get<std::uint32_t>("segment index") != index + 1)
            reader.fail("segment order");
        for (const SegmentPart& part : plan[index])
            readPart(reader, part, header, store);
        reader.expectEnd();
    }
    return std::make_shared<const Context>(std::move(header.info), std::move(store),
                                           std::move(header.ranges), std::move(header.systemText),
                                           std::move(header.methodState));
}

} // namespace engine
