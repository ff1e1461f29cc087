#pragma once

#include "app/documents/import_sink.h"
#include "engine/error.h"

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace app {

/// The worker process speaks in lines of JSON, one message each, in the order of ImportSink:
///   {"begin":{...}}  {"page":{...}}  {"outline":[...]}  {"warning":"..."}  {"error":{...}}
///   {"done":true}
/// Boxes travel as whole hundredths of a point, six numbers a word: begin, end, x, y, width,
/// height.
inline constexpr std::size_t kMaxMessageBytes = std::size_t{16} << 20;

/// The worker's side: every call becomes a line.
class MessageWriter : public ImportSink
{
public:
    /// `send` receives each line with its line feed.
    explicit MessageWriter(std::function<void(const std::string& line)> send);

    void begin(DocumentHeader header) override;
    void addPage(PageContent content) override;
    void setOutline(std::vector<OutlineEntry> outline) override;
    void addWarning(std::string sentence) override;
    void checkCancelled() override {} // the program ends the process instead

    void fail(const engine::Error& error);
    void finish();

private:
    std::function<void(const std::string& line)> m_send;
};

/// The program's side. What comes in may be anything; what is not a message is an
/// engine::Error (Damaged), and what contradicts itself is found by the sink.
class MessageReader
{
public:
    explicit MessageReader(ImportSink& sink);

    /// Hands one line, without its line feed, to the sink.
    /// @throws engine::Error: the worker's own refusal, or a line that is no message.
    void readLine(std::string_view line);

    bool isFinished() const { return m_finished; }

private:
    ImportSink& m_sink;
    bool m_finished = false;
};

} // namespace app
