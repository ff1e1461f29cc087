// Pictures of the window for the README and for looking at: written to BINARY_DIR/screenshots.

#include "tests/ui/window_fixture.h"
#include "ui/conversation/conversation_pane.h"
#include "ui/model_menu.h"
#include "ui/prepare_dialog.h"
#include "ui/reader/reader_pane.h"

#include <QApplication>
#include <QDir>
#include <QPushButton>
#include <QStyleFactory>
#include <QTest>

namespace {

constexpr int kPatience = 240'000;

QPalette darkPalette()
{
    QPalette palette;
    const QColor back(32, 34, 37);
    const QColor field(24, 26, 28);
    const QColor text(225, 225, 225);
    palette.setColor(QPalette::Window, back);
    palette.setColor(QPalette::WindowText, text);
    palette.setColor(QPalette::Base, field);
    palette.setColor(QPalette::AlternateBase, back);
    palette.setColor(QPalette::Text, text);
    palette.setColor(QPalette::Button, QColor(48, 51, 55));
    palette.setColor(QPalette::ButtonText, text);
    palette.setColor(QPalette::ToolTipBase, QColor(60, 64, 70));
    palette.setColor(QPalette::ToolTipText, text);
    palette.setColor(QPalette::PlaceholderText, QColor(150, 150, 150));
    palette.setColor(QPalette::Highlight, QColor(58, 123, 213));
    palette.setColor(QPalette::HighlightedText, Qt::white);
    palette.setColor(QPalette::Mid, QColor(18, 19, 21));
    for (const auto role : {QPalette::Text, QPalette::WindowText, QPalette::ButtonText})
        palette.setColor(QPalette::Disabled, role, QColor(120, 120, 120));
    return palette;
}

} // namespace

class TestScreenshots : public QObject
{
    Q_OBJECT
private slots:
    void theHandbookReadAndAsked()
    {
        QApplication::setStyle(QStyleFactory::create(QStringLiteral("Fusion")));
        QVERIFY(QDir().mkpath(QStringLiteral(BINARY_DIR "/screenshots")));
        tests::WindowFixture fixture;
        save(fixture.window(), QStringLiteral("empty-light"));
        fixture.drop(QStringLiteral(BINARY_DIR "/resources/handbook.pdf"));
        QVERIFY(fixture.waitUntilReady());
        QVERIFY(fixture.ask(QStringLiteral("Purple elephants never visited")));
        QVERIFY(fixture.ask(QStringLiteral("What follows \"The reserve file has a size of\"?")));
        auto* citation =
            fixture.window().conversation().findChild<QPushButton*>(QStringLiteral("citation"));
        QVERIFY(citation != nullptr);
        citation->click();
        QTRY_VERIFY_WITH_TIMEOUT(fixture.window().reader().hasCitationMark(), kPatience);
        QTRY_VERIFY_WITH_TIMEOUT(fixture.window().reader().isPageDrawn(), kPatience);
        save(fixture.window(), QStringLiteral("window-light"));

        fixture.window().reader().toggleKept();
        QTRY_VERIFY_WITH_TIMEOUT(fixture.window().reader().isKeptShown(), kPatience);
        save(fixture.window(), QStringLiteral("kept-light"));
        fixture.window().reader().toggleKept();

        ui::PrepareDialog dialog(QStringLiteral("Handbook"), &fixture.window());
        dialog.show();
        QCoreApplication::processEvents();
        QVERIFY(dialog.grab().save(QStringLiteral(BINARY_DIR "/screenshots/prepare-light.png")));
        dialog.hide();
        auto* models = fixture.window().findChild<ui::ModelMenu*>();
        QVERIFY(models != nullptr);
        // The two readers come when the folders have been looked through.
        constexpr qsizetype kWithoutReaders = 4;
        QTRY_VERIFY(models->actions().size() > kWithoutReaders);
        models->popup({0, 0});
        QVERIFY(models->grab().save(QStringLiteral(BINARY_DIR "/screenshots/models-light.png")));
        models->hide();

        QApplication::setPalette(darkPalette());
        save(fixture.window(), QStringLiteral("window-dark"));
    }

private:
    static void save(QWidget& window, const QString& name)
    {
        QCoreApplication::processEvents();
        const QImage image = window.grab().toImage();
        QCOMPARE(image.size(), QSize(1440, 900));
        QVERIFY(
            image.save(QStringLiteral(BINARY_DIR "/screenshots/") + name + QStringLiteral(".png")));
    }
};

QTEST_MAIN(TestScreenshots)
#include "tst_screenshots.moc"
