#pragma once

#include "engine/error.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace engine {

/// A value that a chat template can see: JSON's types with ordered objects.
struct TemplateValue
{
    using Array = std::vector<TemplateValue>;
    using Object = std::vector<std::pair<std::string, TemplateValue>>;
    std::variant<std::nullptr_t, bool, std::int64_t, double, std::string, Array, Object> data =
        nullptr;
};

struct ChatMessage
{
    std::string role; // "system", "user" or "assistant"
    std::string content;
};

struct TemplateLimits
{
    std::size_t steps = 1'000'000;
    std::size_t depth = 64;
    std::size_t outputBytes = 8U << 20U;
};

/// A model's chat template: the Jinja subset measured on public templates, rendered as the
/// transformers library sets it up (trim_blocks, lstrip_blocks, no escaping). Has no access to
/// anything but its variables.
class ChatTemplate
{
public:
    /// Throws Unsupported or Damaged with the line of the template in the sentence.
    static std::shared_ptr<const ChatTemplate> parse(std::string_view source);
    virtual ~ChatTemplate() = default;

    /// Throws Error: BadInput with the template's own message for raise_exception, Unsupported for
    /// what the subset lacks, TooLarge when a limit is passed. `now` is what strftime_now formats
    /// (UTC).
    virtual std::string render(const TemplateValue::Object& variables,
                               std::chrono::system_clock::time_point now,
                               const TemplateLimits& limits = {}) const = 0;

    /// The usual call: messages, add_generation_prompt, bos_token, eos_token.
    std::string render(const std::vector<ChatMessage>& messages, bool addGenerationPrompt,
                       const std::string& bosToken, const std::string& eosToken) const;
};

/// The variables of the usual call: messages, add_generation_prompt, bos_token and eos_token.
TemplateValue::Object chatVariables(const std::vector<ChatMessage>& messages,
                                    bool addGenerationPrompt, const std::string& bosToken,
                                    const std::string& eosToken);

} // namespace engine
