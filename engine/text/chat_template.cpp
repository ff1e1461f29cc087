#include "engine/text/chat_template.h"

#include "engine/text/jinja_interpreter.h"
#include "engine/text/jinja_lexer.h"
#include "engine/text/jinja_parser.h"
#include "engine/text/jinja_runtime.h"

#include <utility>

namespace engine {

namespace {

/// The largest public templates have some 20 kB.
constexpr std::size_t kMaxSourceBytes = 1U << 20U;

class JinjaTemplate : public ChatTemplate
{
public:
    explicit JinjaTemplate(jinja::Body body)
        : m_body(std::move(body))
    {}

    std::string render(const TemplateValue::Object& variables,
                       std::chrono::system_clock::time_point now,
                       const TemplateLimits& limits) const override
    {
        jinja::Runtime runtime(limits, now);
        return jinja::Interpreter(runtime).run(m_body, variables);
    }

private:
    jinja::Body m_body;
};

} // namespace

std::shared_ptr<const ChatTemplate> ChatTemplate::parse(std::string_view source)
{
    if (source.size() > kMaxSourceBytes) {
        throw Error(ErrorCode::TooLarge,
                    "The model's chat template has " + std::to_string(source.size() / 1024) +
                        " KiB, which is more than the 1024 KiB that this program reads. "
                        "Choose another model, or ask without a chat template.");
    }
    return std::make_shared<const JinjaTemplate>(jinja::Parser(jinja::tokenize(source)).parse());
}

std::string ChatTemplate::render(const std::vector<ChatMessage>& messages, bool addGenerationPrompt,
                                 const std::string& bosToken, const std::string& eosToken) const
{
    return render(chatVariables(messages, addGenerationPrompt, bosToken, eosToken),
                  std::chrono::system_clock::now());
}

TemplateValue::Object chatVariables(const std::vector<ChatMessage>& messages,
                                    bool addGenerationPrompt, const std::string& bosToken,
                                    const std::string& eosToken)
{
    TemplateValue::Array list;
    for (const ChatMessage& message : messages) {
        list.push_back(
            {TemplateValue::Object{{"role", {message.role}}, {"content", {message.content}}}});
    }
    return {{"messages", {std::move(list)}},
            {"add_generation_prompt", {addGenerationPrompt}},
            {"bos_token", {bosToken}},
            {"eos_token", {eosToken}}};
}

} // namespace engine
