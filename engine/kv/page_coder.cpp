#include "engine/kv/page_coder.h"

#include "engine/kv/entropy_coder.h"

#include <array>
#include <map>

namespace engine {
namespace {

using kernels::KvType;

/// Bytes of a page side that have a distribution of their own.
struct Plane
{
    std::size_t begin = 0;
    std::size_t end = 0;
    std::size_t step = 1; // every step-th byte of [begin, end)

    std::size_t count() const { return (end - begin + step - 1) / step; }
};

/// Numbers of `width` bytes, one plane for each of their bytes.
void addNumbers(std::vector<Plane>& planes, std::size_t begin, std::size_t end, std::size_t width)
{
    for (std::size_t byte = 0; byte < width; ++byte)
        planes.push_back({begin + byte, end, width});
}

/// The planes of one side of a page; `bytes` is the size of that side.
/// Scales stand before the codes (kernels/cpu/kv_page_layout.h).
std::vector<Plane> planesOf(KvType type, std::size_t bytes, std::size_t headDim)
{
    std::vector<Plane> planes;
    const std::size_t numbers = kernels::kPageRows * headDim;
    switch (type) {
    case KvType::F32:
        addNumbers(planes, 0, bytes, 4);
        return planes;
    case KvType::F16:
        addNumbers(planes, 0, bytes, 2);
        return planes;
    case KvType::Int8: {
        const std::size_t scales = bytes - numbers;
        addNumbers(planes, 0, scales, 2);
        planes.push_back({scales, bytes, 1});
        return planes;
    }
    case KvType::Kivi4:
    case KvType::Kivi2: {
        const std::size_t codes = numbers / (type == KvType::Kivi4 ? 2 : 4);
        const std::size_t ranges = (bytes - codes) / 2;
        addNumbers(planes, 0, ranges, 2);
        addNumbers(planes, ranges, 2 * ranges, 2);
        planes.push_back({2 * ranges, bytes, 1});
        return planes;
    }
    }
    return planes;
}

enum class Side
{
    Keys,
    Values
};

std::size_t sideBytes(Side side, const PageForm& form, std::size_t headDim)
{
    if (side == Side::Values)
        return kernels::valuePageBytes(form.type, headDim);
    return form.hasKeys ? kernels::keyPageBytes(form.type, headDim) : 0;
}

/// Calls visit(plane, pages that have it) for all streams, in the order in which they are written.
template <typename Visit>
void forEachStream(std::span<const PageForm> forms, Side side, std::size_t headDim,
                   const Visit& visit)
{
    std::map<PageForm, std::vector<std::size_t>> pagesOfForm;
    for (std::size_t page = 0; page < forms.size(); ++page)
        pagesOfForm[forms[page]].push_back(page);
    for (const auto& [form, pages] : pagesOfForm) {
        const std::size_t bytes = sideBytes(side, form, headDim);
        if (bytes == 0)
            continue;
        for (const Plane& plane : planesOf(form.type, bytes, headDim))
            visit(plane, pages);
    }
}

std::vector<PageForm> formsOf(std::span<const std::shared_ptr<const KvPage>> pages)
{
    std::vector<PageForm> forms;
    for (const auto& page : pages)
        forms.push_back({page->type, !page->keys.empty()});
    return forms;
}

std::vector<std::byte>& bytesOf(KvPage& page, Side side)
{
    return side == Side::Keys ? page.keys : page.values;
}

const std::vector<std::byte>& bytesOf(const KvPage& page, Side side)
{
    return side == Side::Keys ? page.keys : page.values;
}

constexpr std::array kSides{Side::Keys, Side::Values};

} // namespace

void writeCodedPages(std::span<const std::shared_ptr<const KvPage>> pages, std::size_t headDim,
                     ByteWriter& writer)
{
    const std::vector<PageForm> forms = formsOf(pages);
    std::vector<std::byte> stream;
    for (const Side side : kSides) {
        forEachStream(forms, side, headDim,
                      [&](const Plane& plane, const std::vector<std::size_t>& members) {
                          stream.clear();
                          for (const std::size_t member : members) {
                              const auto& bytes = bytesOf(*pages[member], side);
                              for (std::size_t i = plane.begin; i < plane.end; i += plane.step)
                                  stream.push_back(bytes[i]);
                          }
                          encodeEntropy(stream, writer);
                      });
    }
}

std::vector<std::shared_ptr<const KvPage>> readCodedPages(std::span<const PageForm> forms,
                                                          std::size_t headDim, ByteReader& reader)
{
    std::vector<std::shared_ptr<KvPage>> pages;
    for (const PageForm& form : forms) {
        auto page = std::make_shared<KvPage>();
        page->type = form.type;
        for (const Side side : kSides)
            bytesOf(*page, side).resize(sideBytes(side, form, headDim));
        pages.push_back(std::move(page));
    }
    for (const Side side : kSides) {
        forEachStream(forms, side, headDim,
                      [&](const Plane& plane, const std::vector<std::size_t>& members) {
                          const auto stream = decodeEntropy(reader, plane.count() * members.size());
                          auto next = stream.begin();
                          for (const std::size_t member : members) {
                              auto& bytes = bytesOf(*pages[member], side);
                              for (std::size_t i = plane.begin; i < plane.end; i += plane.step)
                                  bytes[i] = *next++;
                          }
                      });
    }
    return {pages.begin(), pages.end()};
}

} // namespace engine
