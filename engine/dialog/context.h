#pragma once

#include "engine/engine.h"
#include "engine/kv/kv_store.h"

#include <span>
#include <string>
#include <vector>

namespace engine {

/// A prepared document: what was kept, packed for good. Immutable, so conversations share it.
class Context
{
public:
    Context(ContextInfo info, KvStore store, std::vector<ByteRange> ranges, std::string systemText,
            std::vector<std::byte> methodState = {});

    const ContextInfo& info() const { return m_info; }
    const KvStore& store() const { return m_store; }
    /// Byte range in the document's text of each document token.
    const std::vector<ByteRange>& ranges() const { return m_ranges; }
    const std::string& systemText() const { return m_systemText; }
    /// What the method wrote down for the time of questions (Method::artefactState).
    std::span<const std::byte> methodState() const { return m_methodState; }
    /// For each row behind the prefix the document token that it is, or that it stands behind;
    /// empty where they follow one by one.
    std::span<const std::uint32_t> tokenOfRow() const { return m_tokenOfRow; }
    std::uint32_t prefixRows() const { return static_cast<std::uint32_t>(m_info.prefixTokens); }

private:
    ContextInfo m_info;
    KvStore m_store;
    std::vector<ByteRange> m_ranges;
    std::string m_systemText;
    std::vector<std::byte> m_methodState;
    std::vector<std::uint32_t> m_tokenOfRow;
};

/// Segments 1.. put together as the header segment says, whichever model made them. `shape` is the
/// one expected, `rope` the table of the keys when it is not the model's own. Throws Damaged.
std::shared_ptr<const Context>
readContext(const KvShape& shape, std::span<const std::byte> headerSegment,
            const std::function<std::vector<std::byte>(std::size_t)>& readSegment,
            std::shared_ptr<const RopeTable> rope = nullptr);

/// Throws Mismatch when a context belongs to another model or to other settings of its positions,
/// or (with a non-empty `textHash`) to another text.
void checkIdentity(const ContextInfo& info, const LoadedModel& model, std::string_view textHash);

} // namespace engine
