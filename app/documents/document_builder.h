#pragma once

#include "app/documents/import_sink.h"

#include <functional>
#include <stop_token>

namespace app {

/// Puts the pieces together and checks each of them: what comes in may have been written by a
/// reader that a hostile file has taken over. Every violation is an engine::Error (Damaged or
/// TooLarge).
class DocumentBuilder : public ImportSink
{
public:
    /// `fileName` is the quoted name for sentences; `onProgress` may be empty and is called once a
    /// page.
    DocumentBuilder(std::string fileName, std::function<void(const ImportProgress&)> onProgress,
                    std::stop_token stop);

    void begin(DocumentHeader header) override;
    void addPage(PageContent content) override;
    void setOutline(std::vector<OutlineEntry> outline) override;
    void addWarning(std::string sentence) override;
    void checkCancelled() override;

    std::size_t pagesRead() const { return m_document.pages.size(); }

    /// Counts, hashes and hands over. @throws engine::Error (Unsupported) if there is no page.
    ImportedDocument finish(std::string fileSha256);

private:
    [[noreturn]] void refuse(const std::string& what) const;
    void checkPage(const PageContent& content) const;

    std::string m_fileName;
    std::function<void(const ImportProgress&)> m_onProgress;
    std::stop_token m_stop;
    ImportedDocument m_document;
    std::size_t m_pagesTotal = 0;
    std::size_t m_wordBoxes = 0;
    bool m_begun = false;
};

} // namespace app
