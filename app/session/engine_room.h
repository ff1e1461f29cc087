#pragma once

#include "app/jobs/answer_question.h"
#include "app/session/task_thread.h"
#include "engine/engine.h"

#include <filesystem>
#include <memory>

namespace app {

/// What the engine thread owns: the loaded model, the context in use and the conversation in its
/// memory.
class EngineRoom
{
public:
    explicit EngineRoom(engine::LoadOptions options)
        : m_options(options)
    {}

    /// The model of a file; loads it unless it is the one in memory. Throws engine::Error.
    std::shared_ptr<engine::LoadedModel> model(const std::filesystem::path& path);

    std::shared_ptr<const OpenContext> openContext() const { return m_open; }
    void setOpenContext(std::shared_ptr<const OpenContext> open);

    /// The conversation with the given stored exchanges; kept between questions, so that its tail
    /// is not read twice.
    engine::Conversation& conversation(RecordId id, const std::vector<engine::Exchange>& earlier);
    void forgetConversation();

    /// Empty while no model is loaded.
    std::string deviceSentence() const;
    std::uint64_t weightBytes() const;
    std::uint64_t contextBytes() const;

private:
    engine::LoadOptions m_options;
    std::filesystem::path m_path;
    std::shared_ptr<engine::LoadedModel> m_model;
    std::shared_ptr<const OpenContext> m_open;
    RecordId m_conversationId = 0;
    std::unique_ptr<engine::Conversation> m_conversation;
};

using EngineThread = TaskThread<EngineRoom>;

} // namespace app
