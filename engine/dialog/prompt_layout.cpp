#include "engine/dialog/prompt_layout.h"

#include "engine/error.h"

#include <utility>

namespace engine {

namespace {

constexpr std::string_view kBetween = "\n\n";

/// Two questions without anything in common, so that a prefix equal for both depends on neither.
constexpr std::string_view kProbe = "Who?";
constexpr std::string_view kOtherProbe = "When did all of it happen, and where is that said?";

[[noreturn]] void refuse(const std::string& why)
{
    throw Error(ErrorCode::Unsupported,
                "The model's chat template cannot be used: " + why +
                    ". Choose another model, or ask without a chat template.");
}

std::size_t countOf(std::string_view text, std::string_view part)
{
    std::size_t count = 0;
    for (std::size_t at = text.find(part); at != std::string_view::npos;
         at = text.find(part, at + part.size())) {
        ++count;
    }
    return count;
}

} // namespace

/// Words that occur in none of the texts that are rendered as they are.
struct PromptBuilder::StandIns
{
    std::string document;
    std::string answer;

    StandIns(std::string_view system, std::span<const Exchange> earlier, std::string_view question)
    {
        std::string texts = std::string(system) + std::string(question);
        for (const Exchange& exchange : earlier) {
            texts += exchange.question;
        }
        std::string number = "7";
        while (texts.find("x" + number + "x") != std::string::npos) {
            number += "7";
        }
        document = "DocumentGoesHerex" + number + "x";
        answer = "AnswerGoesHerex" + number + "x";
    }

    /// Each answer has its own word, so that the last one can be told from the others.
    std::string answerAt(std::size_t turn) const { return answer + std::to_string(turn) + "x"; }
};

PromptBuilder::PromptBuilder(std::shared_ptr<const ChatTemplate> chatTemplate, std::string system,
                             std::string bos, std::string eos,
                             std::chrono::system_clock::time_point today)
    : m_template(std::move(chatTemplate))
    , m_system(std::move(system))
    , m_bos(std::move(bos))
    , m_eos(std::move(eos))
    , m_today(today)
{
    if (!m_template) {
        m_prefix = m_system.empty() ? std::string() : m_system + std::string(kBetween);
        return;
    }
    m_systemIsMessage = !m_system.empty() && hasRoomForSystem();
    m_prefix = probePrefix(kProbe);
    if (m_prefix != probePrefix(kOtherProbe)) {
        refuse("what it writes before a document depends on the question");
    }
}

/// False if the template rejects a system message or drops it.
bool PromptBuilder::hasRoomForSystem() const
{
    const std::string word = "SystemTextGoesHere";
    const std::vector<ChatMessage> messages{{"system", word}, {"user", std::string(kProbe)}};
    try {
        const auto variables = chatVariables(messages, true, m_bos, m_eos);
        return m_template->render(variables, m_today).find(word) != std::string::npos;
    } catch (const Error&) {
        return false;
    }
}

std::string PromptBuilder::probePrefix(std::string_view question) const
{
    const StandIns standIns(m_system, {}, question);
    const std::string text = renderChat(standIns, {}, question);
    const std::size_t count = countOf(text, standIns.document);
    if (count != 1) {
        refuse(count == 0 ? "it does not leave a long message as it is"
                          : "it writes a message more than once");
    }
    return text.substr(0, text.find(standIns.document));
}

std::string PromptBuilder::renderChat(const StandIns& standIns, std::span<const Exchange> earlier,
                                      std::string_view question) const
{
    std::vector<ChatMessage> messages;
    std::string opening = standIns.document + std::string(kBetween);
    if (m_systemIsMessage) {
        messages.push_back({"system", m_system});
    } else if (!m_system.empty()) {
        opening = m_system + std::string(kBetween) + opening;
    }
    for (std::size_t i = 0; i < earlier.size(); ++i) {
        messages.push_back({"user", (i == 0 ? opening : std::string()) + earlier[i].question});
        messages.push_back({"assistant", standIns.answerAt(i)});
    }
    messages.push_back(
        {"user", (earlier.empty() ? opening : std::string()) + std::string(question)});
    return m_template->render(chatVariables(messages, true, m_bos, m_eos), m_today);
}

std::string PromptBuilder::turn(std::span<const Exchange> earlier, std::string_view question) const
{
    if (!m_template) {
        return std::string(kBetween) + std::string(question);
    }
    const StandIns standIns(m_system, earlier, question);
    const std::string text = renderChat(standIns, earlier, question);
    const auto textAfter = [&](const std::string& word) {
        return text.substr(text.rfind(word) + word.size());
    };
    if (!earlier.empty()) {
        const std::string answer = standIns.answerAt(earlier.size() - 1);
        if (text.find(answer) != std::string::npos) {
            return textAfter(answer);
        }
        // A template that forgets earlier turns writes the new one where the first would be.
    }
    if (text.find(standIns.document) != std::string::npos) {
        return textAfter(standIns.document);
    }
    // A template may keep only a part of the last message, for instance what the user quoted.
    if (text.starts_with(m_prefix)) {
        return text.substr(m_prefix.size());
    }
    refuse("it leaves out the document");
}

PromptLayout PromptBuilder::layout(std::string_view question) const
{
    return {m_prefix, turn({}, question)};
}

} // namespace engine
