#pragma once

#include "app/session/session.h"

#include <QWidget>

#include <memory>
#include <vector>

class QComboBox;
class QLabel;
class QStackedWidget;
class QToolButton;

namespace ui {

class PageView;
class TextView;

/// The open document: its page, where one is in it, its contents, and marks for citations and for
/// what was kept.
class ReaderPane final : public QWidget
{
    Q_OBJECT
public:
    explicit ReaderPane(QWidget* parent = nullptr);

    void showDocument(std::shared_ptr<const app::DocumentContent> content);
    void closeDocument();
    void goToPage(std::size_t index);
    /// Goes to the page of the citations, all of one page, and marks their words.
    void showCitations(const std::vector<app::CitationRecord>& citations);
    /// Whether there is a prepared state to show.
    void setKeptAvailable(bool available);
    void setWords(app::RecordId documentId, std::size_t page,
                  const std::vector<app::ImportedWord>& words);
    void setRetention(std::shared_ptr<const app::RetentionView> retention);

    app::RecordId documentId() const;
    std::size_t page() const { return m_page; }
    bool hasCitationMark() const;
    bool isPageDrawn() const;
    bool isKeptShown() const { return m_retention != nullptr; }

    void askForPage();
    void zoomIn();
    void zoomOut();
    void fitWidth();
    void nextPage();
    void previousPage();
    void toggleKept();

signals:
    void wordsWanted(app::RecordId documentId, std::size_t page);
    void retentionWanted(app::RecordId documentId);
    void failed(QString sentence);

private:
    QWidget* makeToolBar();
    QToolButton* addButton(QWidget* bar, const QString& text, const QString& name);
    void showPage();
    void showContentsPlace();
    void connectToolBar(QToolButton* smaller, QToolButton* larger, QToolButton* fit);
    void updateLegend();
    bool isPrinted() const;

    std::shared_ptr<const app::DocumentContent> m_content;
    std::shared_ptr<const app::RetentionView> m_retention;
    std::vector<app::ImportedWord> m_words;
    std::vector<app::ByteRange> m_citations;
    std::size_t m_page = 0;
    QWidget* m_bar = nullptr;
    QStackedWidget* m_stack;
    QLabel* m_empty;
    PageView* m_pageView;
    TextView* m_textView;
    QComboBox* m_contents = nullptr;
    QToolButton* m_place = nullptr;
    QToolButton* m_back = nullptr;
    QToolButton* m_forward = nullptr;
    QToolButton* m_kept = nullptr;
    QLabel* m_legend = nullptr;
};

} // namespace ui
