#pragma once

#include "engine/dialog/exchange.h"
#include "engine/text/chat_template.h"

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace engine {

/// A first prompt, cut where the document belongs.
struct PromptLayout
{
    std::string beforeDocument;
    std::string afterDocument; // the question and all up to the beginning of the answer
};

/// Lays out prompts so that the document comes before every question: its state can then be
/// computed once and kept. The first user message is the document, a blank line and the question.
///
/// The chat template is rendered with stand-ins (long words without blanks or quotation marks) for
/// the document and the earlier answers and the result is cut at these; so a template needs no
/// cooperation except to leave the contents as they are. It may trim them, and it may drop or
/// shorten everything but the document.
class PromptBuilder
{
public:
    /// Without a template the text is sent as it is ("raw"). `system` may be empty; if the template
    /// has no room for a system text, it is put before the document. `bos` and `eos` are the texts
    /// of these tokens: the prompt holds `bos` only where the template writes it.
    ///
    /// `today` is what templates print that ask for the date. It is a fixed day unless given, since
    /// a prompt that changed by the day would no longer belong to the state kept of it.
    ///
    /// Throws Unsupported if the template does not keep the document as it is or puts anything
    /// before it that depends on the question.
    PromptBuilder(std::shared_ptr<const ChatTemplate> chatTemplate, std::string system,
                  std::string bos, std::string eos,
                  std::chrono::system_clock::time_point today = kFixedDay);

    /// The text before the document; the same for every question.
    std::string prefix() const { return m_prefix; }

    /// The text to append to what the cache holds. First turn: the cache holds prefix and document.
    /// Later: also the texts of the earlier turns and answers, without the token that ended the
    /// last answer (the text begins with it, if the template has one). Throws Unsupported, or the
    /// template's own error.
    std::string turn(std::span<const Exchange> earlier, std::string_view question) const;

    /// prefix() and the first turn's text.
    PromptLayout layout(std::string_view question) const;

    static constexpr std::chrono::system_clock::time_point kFixedDay =
        std::chrono::sys_days{std::chrono::year{2024} / 7 / 26};

private:
    struct StandIns;

    std::string renderChat(const StandIns& standIns, std::span<const Exchange> earlier,
                           std::string_view question) const;
    bool hasRoomForSystem() const;
    std::string probePrefix(std::string_view question) const;

    std::shared_ptr<const ChatTemplate> m_template;
    std::string m_system;
    std::string m_bos;
    std::string m_eos;
    std::chrono::system_clock::time_point m_today;
    bool m_systemIsMessage = false;
    std::string m_prefix;
};

} // namespace engine
