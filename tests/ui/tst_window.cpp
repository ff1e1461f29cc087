// The window from the outside: drop, read, ask, cite, restart, and what goes wrong.

#include "tests/ui/window_fixture.h"
#include "ui/accessible.h"
#include "ui/conversation/conversation_pane.h"
#include "ui/library/document_list_model.h"
#include "ui/library/library_pane.h"
#include "ui/message_bar.h"
#include "ui/prepare_dialog.h"
#include "ui/reader/reader_pane.h"

#include <QAbstractButton>
#include <QAbstractItemModelTester>
#include <QComboBox>
#include <QFile>
#include <QLabel>
#include <QLineEdit>
#include <QListView>
#include <QPainter>
#include <QPdfWriter>
#include <QPushButton>
#include <QSignalSpy>
#include <QSpinBox>
#include <QTest>
#include <QTimer>

namespace {

constexpr int kPatience = 240'000;

/// A PDF of three pages with a sentence of its own on each.
QString writePdf(const QString& folder)
{
    const QString path = folder + QStringLiteral("/harbour.pdf");
    QPdfWriter writer(path);
    writer.setTitle(QStringLiteral("The harbour report"));
    QPainter painter(&writer);
    const QStringList pages{
        QStringLiteral("The amber falcon lives in the ruined tower above the northern harbour."),
        QStringLiteral("Seven grey barges carried turnips from Velden to the salt market."),
        QStringLiteral("Old Marten keeps the brass key under a flat stone beside the well.")};
    for (int page = 0; page < pages.size(); ++page) {
        if (page > 0)
            writer.newPage();
        painter.drawText(QRect(500, 800, 8000, 3000), Qt::TextWordWrap, pages[page]);
    }
    painter.end();
    return path;
}

/// A text that takes a while to read.
QString writeLongText(const QString& folder)
{
    const QString path = folder + QStringLiteral("/long.txt");
    QFile file(path);
    if (!file.open(QFile::WriteOnly))
        return {};
    for (int i = 0; i < 300; ++i) {
        file.write(QStringLiteral("Entry %1 of the register names barrel %2 and carter %3.\n\n")
                       .arg(i)
                       .arg(i * 7919 % 10007)
                       .arg(i * 104729 % 9973)
                       .toUtf8());
    }
    return path;
}

/// Chooses in the dialog of "Prepare with...", which has to be there, and accepts it.
void prepareWith(tests::WindowFixture& fixture, const QString& method, int percent,
                 const QString& pages)
{
    bool accepted = false;
    QTimer::singleShot(0, &fixture.window(), [&] {
        auto* dialog = qobject_cast<ui::PrepareDialog*>(QApplication::activeModalWidget());
        QVERIFY(dialog != nullptr);
        auto* methods = dialog->findChild<QComboBox*>();
        methods->setCurrentIndex(methods->findData(method));
        dialog->findChild<QSpinBox*>()->setValue(percent);
        dialog->findChild<QLineEdit*>(QStringLiteral("pages"))->setText(pages);
        accepted = true;
        dialog->accept();
    });
    for (QAction* action : fixture.window().findChildren<QAction*>()) {
        if (action->text() == QStringLiteral("Prepare &with..."))
            action->trigger();
    }
    QVERIFY(accepted);
}

app::RecordId onlyDocument(tests::WindowFixture& fixture)
{
    return fixture.window()
        .library()
        .model()
        .index(0)
        .data(ui::DocumentListModel::IdRole)
        .toLongLong();
}

/// 0 while the document has no job that is not done.
app::RecordId jobOf(tests::WindowFixture& fixture, app::RecordId document)
{
    const app::DocumentRow* row = fixture.window().library().model().row(document);
    return row != nullptr && row->job ? row->job->id : 0;
}

} // namespace

class TestWindow : public QObject
{
    Q_OBJECT
private slots:
    void dropReadAskCite()
    {
        tests::WindowFixture fixture;
        QAbstractItemModelTester tester(&fixture.window().library().model());
        fixture.drop(writePdf(fixture.folder()));
        QVERIFY(fixture.waitUntilReady());
        QVERIFY(fixture.ask(QStringLiteral("Seven grey barges carried")));
        QCOMPARE(fixture.window().conversation().lastText(),
                 QStringLiteral("turnips from Velden to the salt market."));

        auto* citation =
            fixture.window().conversation().findChild<QPushButton*>(QStringLiteral("citation"));
        QVERIFY(citation != nullptr);
        QCOMPARE(citation->text(), QStringLiteral("p. 2"));
        QCOMPARE(fixture.window().reader().page(), std::size_t{0});
        QTest::mouseClick(citation, Qt::LeftButton);
        QCOMPARE(fixture.window().reader().page(), std::size_t{1});
        QTRY_VERIFY_WITH_TIMEOUT(fixture.window().reader().hasCitationMark(), kPatience);
        QTRY_VERIFY_WITH_TIMEOUT(fixture.window().reader().isPageDrawn(), kPatience);
    }

    void withoutAModelAShortTextIsReadWholeByTheTrainedReader()
    {
        tests::WindowFixture fixture;
        fixture.session().chooseModel({});
        const QString letter = fixture.folder() + QStringLiteral("/letter.txt");
        QFile file(letter);
        QVERIFY(file.open(QFile::WriteOnly));
        file.write("The old harbour lay in the fog, and no boat went out that day. The pass key is "
                   "48213. A lantern hung above the door of the inn.\n");
        file.close();
        fixture.drop(letter);
        QVERIFY(fixture.waitUntilReady());
        const app::DocumentRow* row = fixture.window().library().model().row(onlyDocument(fixture));
        QVERIFY(row != nullptr && row->context.has_value());
        QCOMPARE(row->context->modelName, std::string("Epitome reader"));
        QCOMPARE(row->context->method, std::string("full"));
        QVERIFY(fixture.ask(QStringLiteral("What is the pass key?")));
        QCOMPARE(fixture.window().conversation().lastText(), QStringLiteral("48213"));

        // What is chosen in the dialog goes to the same reader.
        prepareWith(fixture, QStringLiteral("knorm"), 60, {});
        QTRY_VERIFY_WITH_TIMEOUT(fixture.stateText().contains(QStringLiteral("Ready (knorm)")),
                                 kPatience);
        QCOMPARE(fixture.window().library().model().row(onlyDocument(fixture))->context->modelName,
                 std::string("Epitome reader"));
    }

    void aMethodIsChosenAndThePagesThatStay()
    {
        tests::WindowFixture fixture;
        fixture.drop(writePdf(fixture.folder()));
        QVERIFY(fixture.waitUntilReady());
        fixture.window().library().select(onlyDocument(fixture));
        QVERIFY(!fixture.stateText().contains(QStringLiteral("knorm")));

        prepareWith(fixture, QStringLiteral("knorm"), 40, QStringLiteral("9"));
        auto* messages = fixture.window().findChild<ui::MessageBar*>();
        QTRY_VERIFY_WITH_TIMEOUT(messages->sentence().contains(QStringLiteral("has 3 pages")),
                                 kPatience);
        QVERIFY(!fixture.stateText().contains(QStringLiteral("knorm")));

        prepareWith(fixture, QStringLiteral("knorm"), 40, QStringLiteral(" 2, "));
        QTRY_VERIFY_WITH_TIMEOUT(
            fixture.stateText().contains(QStringLiteral("Ready (knorm), kept 4")), kPatience);
        // Without the page only two fifths of its words would be left.
        QVERIFY(fixture.ask(QStringLiteral("Seven grey barges carried")));
        QCOMPARE(fixture.window().conversation().lastText(),
                 QStringLiteral("turnips from Velden to the salt market."));
    }

    void theNextStartAnswersWithoutReadingAgain()
    {
        tests::WindowFixture fixture;
        fixture.drop(writePdf(fixture.folder()));
        QVERIFY(fixture.waitUntilReady());
        QVERIFY(fixture.ask(QStringLiteral("Old Marten keeps the")));
        const QString first = fixture.window().conversation().lastText();

        fixture.restart();
        QTRY_COMPARE_WITH_TIMEOUT(fixture.window().library().model().rowCount(), 1, kPatience);
        const auto id = fixture.window()
                            .library()
                            .model()
                            .index(0)
                            .data(ui::DocumentListModel::IdRole)
                            .toLongLong();
        fixture.window().library().select(id);
        QVERIFY(fixture.waitUntilReady());
        QSignalSpy progressed(&fixture.session(), &app::Session::jobProgressed);
        QVERIFY(fixture.ask(QStringLiteral("Old Marten keeps the")));
        QCOMPARE(fixture.window().conversation().lastText(), first);
        QCOMPARE(first, QStringLiteral("brass key under a flat stone beside the well."));
        QCOMPARE(progressed.count(), 0);
        // The conversation of the first run is there, and the new one.
        auto* chooser = fixture.window().conversation().findChild<QComboBox*>();
        QTRY_COMPARE_WITH_TIMEOUT(chooser->count(), 3, kPatience);
    }

    void whatIsNotInTheDocumentIsSaidSo()
    {
        tests::WindowFixture fixture;
        fixture.drop(writePdf(fixture.folder()));
        QVERIFY(fixture.waitUntilReady());
        QVERIFY(fixture.ask(QStringLiteral("Purple elephants never visited Rome")));
        QCOMPARE(fixture.window().conversation().lastText(),
                 QStringLiteral("The document does not continue this quotation."));
    }

    void pauseResumeCancel()
    {
        tests::WindowFixture fixture;
        QSignalSpy progressed(&fixture.session(), &app::Session::jobProgressed);
        fixture.drop(writeLongText(fixture.folder()));
        QTRY_VERIFY_WITH_TIMEOUT(progressed.count() > 1, kPatience);
        const auto jobId = [&] { return jobOf(fixture, onlyDocument(fixture)); };
        QTRY_VERIFY_WITH_TIMEOUT(jobId() != 0, kPatience);
        fixture.session().pauseJob(jobId());
        QTRY_VERIFY_WITH_TIMEOUT(fixture.stateText().contains(QStringLiteral("Paused")), kPatience);

        // A paused job survives the program and goes on from its blocks.
        fixture.restart();
        QTRY_VERIFY_WITH_TIMEOUT(fixture.stateText().contains(QStringLiteral("Paused")), kPatience);
        const app::RecordId document = onlyDocument(fixture);
        fixture.session().resumeJob(jobOf(fixture, document));
        QTRY_VERIFY_WITH_TIMEOUT(fixture.stateText().contains(QStringLiteral("Ready")), kPatience);

        // A second preparation that is cancelled leaves the first one in place.
        QSignalSpy again(&fixture.session(), &app::Session::jobProgressed);
        fixture.session().prepare(document);
        QTRY_VERIFY_WITH_TIMEOUT(again.count() > 0 && jobOf(fixture, document) != 0, kPatience);
        fixture.session().cancelJob(jobOf(fixture, document));
        QTRY_VERIFY_WITH_TIMEOUT(fixture.stateText().contains(QStringLiteral("Ready")), kPatience);
    }

    void removingADocumentStopsItsReadingWithoutAWord()
    {
        tests::WindowFixture fixture;
        QSignalSpy progressed(&fixture.session(), &app::Session::jobProgressed);
        QSignalSpy failed(&fixture.session(), &app::Session::failed);
        fixture.drop(writeLongText(fixture.folder()));
        QTRY_VERIFY_WITH_TIMEOUT(progressed.count() > 0, kPatience);
        fixture.session().removeDocument(progressed[0][0].value<app::RecordId>());
        QTRY_COMPARE_WITH_TIMEOUT(fixture.window().library().model().rowCount(), 0, kPatience);
        // The next document is read, so the removed one no longer holds the queue.
        fixture.drop(writePdf(fixture.folder()));
        QVERIFY(fixture.waitUntilReady());
        QCOMPARE(failed.count(), 0);
    }

    void filteringTitlesOpensNothing()
    {
        tests::WindowFixture fixture;
        fixture.drop(writePdf(fixture.folder()));
        QVERIFY(fixture.waitUntilReady());
        ui::LibraryPane& library = fixture.window().library();
        const app::RecordId open = library.selectedDocument();
        QSignalSpy selected(&library, &ui::LibraryPane::documentSelected);
        auto* search = library.findChild<QLineEdit*>();
        search->setText(QStringLiteral("no such title"));
        QCOMPARE(library.selectedDocument(), open);
        search->clear();
        QCOMPARE(library.findChild<QListView*>()->currentIndex().row(), 0);
        QCOMPARE(selected.count(), 0);
    }

    void aConversationThatComesTooLateIsNotShown()
    {
        ui::ConversationPane pane;
        pane.setDocument(1, true);
        app::MessageRecord message;
        message.text = "a message of another conversation";
        pane.showConversation(7, {message});
        QVERIFY(pane.lastText().isEmpty());
        QCOMPARE(pane.conversationId(), app::RecordId{0});
    }

    void textFromADocumentIsNeverMarkup()
    {
        const QString hostile = QStringLiteral("<img src='file:///etc/hostname'> & <b>bold</b>");
        ui::MessageBar bar;
        bar.showSentence(hostile);
        QCOMPARE(bar.findChild<QLabel*>()->textFormat(), Qt::PlainText);
        QVERIFY(!ui::plainToolTip(hostile).contains(QStringLiteral("<img")));
        QVERIFY(ui::plainLabel(hostile).contains(QStringLiteral("&&")));
    }

    void aBadFileIsASentence()
    {
        tests::WindowFixture fixture;
        const QString path = fixture.folder() + QStringLiteral("/empty.pdf");
        QFile file(path);
        QVERIFY(file.open(QFile::WriteOnly));
        file.close();
        fixture.drop(path);
        QTRY_VERIFY_WITH_TIMEOUT(!fixture.window().messages().sentence().isEmpty(), kPatience);
        QVERIFY(fixture.window().messages().sentence().contains(QStringLiteral("empty")));
        QCOMPARE(fixture.window().library().model().rowCount(), 0);
    }

    void everyControlHasAName()
    {
        tests::WindowFixture fixture;
        for (const QWidget* each : fixture.window().findChildren<QWidget*>()) {
            if (each->focusPolicy() == Qt::NoFocus || !each->isVisibleTo(&fixture.window()))
                continue;
            const auto* button = qobject_cast<const QAbstractButton*>(each);
            const bool named = !each->accessibleName().isEmpty() ||
                               (button != nullptr && !button->text().isEmpty());
            QVERIFY2(named, qPrintable(QString::fromLatin1(each->metaObject()->className()) + u' ' +
                                       each->objectName()));
        }
    }
};

QTEST_MAIN(TestWindow)
#include "tst_window.moc"
