#include "app/session/engine_room.h"

namespace app {

std::shared_ptr<engine::LoadedModel> EngineRoom::model(const std::filesystem::path& path)
{
    if (m_model && path == m_path)
        return m_model;
    // What belongs to the old model goes first: two models at once may not fit.
    forgetConversation();
    m_open.reset();
    m_model.reset();
    m_model = engine::loadModel(path, m_options);
    m_path = path;
    return m_model;
}

void EngineRoom::setOpenContext(std::shared_ptr<const OpenContext> open)
{
    forgetConversation();
    m_open = std::move(open);
}

engine::Conversation& EngineRoom::conversation(RecordId id,
                                               const std::vector<engine::Exchange>& earlier)
{
    if (!m_conversation || m_conversationId != id) {
        m_conversation =
            std::make_unique<engine::Conversation>(m_open->model, m_open->context, earlier);
        m_conversationId = id;
    }
    return *m_conversation;
}

void EngineRoom::forgetConversation()
{
    m_conversation.reset();
    m_conversationId = 0;
}

std::string EngineRoom::deviceSentence() const
{
    return m_model ? engine::deviceSentence(*m_model) : std::string();
}

std::uint64_t EngineRoom::weightBytes() const
{
    return m_model ? engine::modelInfo(*m_model).fileBytes : 0;
}

std::uint64_t EngineRoom::contextBytes() const
{
    return m_open ? engine::contextInfo(*m_open->context).bytesStored : 0;
}

} // namespace app
