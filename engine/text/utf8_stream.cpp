#include "engine/text/tokenizer.h"
#include "engine/text/utf8.h"

namespace engine {
namespace {

/// Whether `tail`, which ends the text and is no valid character yet, may still become one.
bool mayBecomeCharacter(std::string_view tail)
{
    const auto lead = static_cast<std::uint8_t>(tail.front());
    const std::size_t announced = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || tail.size() >= announced) {
        return false;
    }
    // Filled up with the lowest and the highest bytes, one of them is valid or nothing is.
    for (const char fill : {'\x80', '\xbf'}) {
        std::string completed(tail);
        completed.resize(announced, fill);
        if (decodeUtf8(completed, 0).valid) {
            return true;
        }
    }
    return false;
}

} // namespace

std::string Utf8Stream::push(std::string_view bytes)
{
    m_pending += bytes;
    std::string shown;
    std::size_t position = 0;
    while (position < m_pending.size()) {
        const DecodedCharacter character = decodeUtf8(m_pending, position);
        const std::string_view rest = std::string_view(m_pending).substr(position);
        if (character.valid) {
            shown += rest.substr(0, character.bytes);
        } else if (mayBecomeCharacter(rest)) {
            break;
        } else {
            shown += kReplacementUtf8;
        }
        position += character.bytes;
    }
    m_pending.erase(0, position);
    return shown;
}

std::string Utf8Stream::finish()
{
    // At most one character can be incomplete, whatever number of its bytes have come.
    std::string shown(m_pending.empty() ? std::string_view() : kReplacementUtf8);
    m_pending.clear();
    return shown;
}

} // namespace engine
