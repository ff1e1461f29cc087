#include "app/library/records.h"

namespace app {

std::string_view toText(RecordKind kind)
{
    switch (kind) {
    case RecordKind::None:
        return "none";
    case RecordKind::Document:
        return "document";
    case RecordKind::Context:
        return "context";
    case RecordKind::Conversation:
        return "conversation";
    case RecordKind::Message:
        return "message";
    case RecordKind::Job:
        return "job";
    }
    return "unknown";
}

std::string_view toText(DocumentState state)
{
    switch (state) {
    case DocumentState::Ready:
        return "ready";
    case DocumentState::PagesWithoutText:
        return "pages-without-text";
    case DocumentState::NoText:
        return "no-text";
    }
    return "unknown";
}

std::string_view toText(ContextState state)
{
    switch (state) {
    case ContextState::Preparing:
        return "preparing";
    case ContextState::Ready:
        return "ready";
    case ContextState::Damaged:
        return "damaged";
    }
    return "unknown";
}

std::string_view toText(MessageRole role)
{
    switch (role) {
    case MessageRole::User:
        return "user";
    case MessageRole::Assistant:
        return "assistant";
    case MessageRole::System:
        return "system";
    }
    return "unknown";
}

std::string_view toText(MessageStatus status)
{
    switch (status) {
    case MessageStatus::Complete:
        return "complete";
    case MessageStatus::Partial:
        return "partial";
    case MessageStatus::Failed:
        return "failed";
    }
    return "unknown";
}

std::string_view toText(JobState state)
{
    switch (state) {
    case JobState::Waiting:
        return "waiting";
    case JobState::Running:
        return "running";
    case JobState::Paused:
        return "paused";
    case JobState::Done:
        return "done";
    case JobState::Failed:
        return "failed";
    case JobState::Cancelled:
        return "cancelled";
    }
    return "unknown";
}

} // namespace app
