#include "engine/text/utf8.h"

#include <algorithm>

namespace engine {
namespace {

constexpr DecodedCharacter kInvalid{kReplacementCharacter, 1, false};

/// Total bytes that a lead byte announces; 0 if it leads nothing.
std::uint32_t announcedBytes(std::uint8_t lead)
{
    if (lead < 0x80) {
        return 1;
    }
    if (lead >= 0xc2 && lead <= 0xdf) {
        return 2;
    }
    if (lead >= 0xe0 && lead <= 0xef) {
        return 3;
    }
    return lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
}

/// Refuses what is longer than necessary, a surrogate, or beyond Unicode.
bool isScalar(char32_t value, std::uint32_t bytes)
{
    switch (bytes) {
    case 3:
        return value >= 0x800 && (value < 0xd800 || value > 0xdfff);
    case 4:
        return value >= 0x10000 && value <= 0x10ffff;
    default:
        return true;
    }
}

} // namespace

DecodedCharacter decodeUtf8(std::string_view text, std::size_t position)
{
    const auto lead = static_cast<std::uint8_t>(text[position]);
    const std::uint32_t bytes = announcedBytes(lead);
    if (bytes == 1) {
        return {lead, 1, true};
    }
    if (bytes == 0 || bytes > text.size() - position) {
        return kInvalid;
    }
    char32_t value = lead & (0x7fU >> bytes);
    for (std::uint32_t i = 1; i < bytes; ++i) {
        const auto next = static_cast<std::uint8_t>(text[position + i]);
        if ((next & 0xc0U) != 0x80U) {
            return kInvalid;
        }
        value = value << 6U | (next & 0x3fU);
    }
    return isScalar(value, bytes) ? DecodedCharacter{value, bytes, true} : kInvalid;
}

void appendUtf8(std::string& text, char32_t codePoint)
{
    const auto append = [&text](char32_t byte) { text += static_cast<char>(byte); };
    if (codePoint < 0x80) {
        append(codePoint);
        return;
    }
    if (codePoint < 0x800) {
        append(0xc0U | codePoint >> 6U);
    } else {
        if (codePoint < 0x10000) {
            append(0xe0U | codePoint >> 12U);
        } else {
            append(0xf0U | codePoint >> 18U);
            append(0x80U | (codePoint >> 12U & 0x3fU));
        }
        append(0x80U | (codePoint >> 6U & 0x3fU));
    }
    append(0x80U | (codePoint & 0x3fU));
}

RepairedText::RepairedText(std::string_view original)
    : m_text(original)
{
    std::size_t copied = 0;
    for (std::size_t i = 0; i < original.size();) {
        const DecodedCharacter character = decodeUtf8(original, i);
        if (!character.valid) {
            m_storage.append(original.substr(copied, i - copied));
            m_replacements.push_back(static_cast<std::uint32_t>(m_storage.size()));
            m_storage += kReplacementUtf8;
            copied = i + 1;
        }
        i += character.bytes;
    }
    if (!m_replacements.empty()) {
        m_storage.append(original.substr(copied));
        m_text = m_storage;
    }
}

std::uint32_t RepairedText::originalPosition(std::uint32_t position, bool roundUp) const
{
    constexpr std::uint32_t kAdded = 2; // three bytes stand for one
    const auto after = std::ranges::upper_bound(m_replacements, position);
    const auto before = static_cast<std::uint32_t>(after - m_replacements.begin());
    if (before == 0) {
        return position;
    }
    const std::uint32_t start = *(after - 1);
    const std::uint32_t inside = position - start;
    const std::uint32_t originalStart = start - kAdded * (before - 1);
    if (inside > kAdded) {
        return originalStart + inside - kAdded;
    }
    return originalStart + (roundUp && inside > 0 ? 1 : 0);
}

} // namespace engine
