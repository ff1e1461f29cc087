// The composition root: the only code that knows both the services and the window.

#include "app/main/application.h"

#include "app/jobs/model_places.h"
#include "app/session/session.h"
#include "ui/main_window.h"

#include <QApplication>
#include <QDir>
#include <QFileInfo>
#include <QMessageBox>
#include <QSettings>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iostream>
#include <string_view>

namespace app {
namespace {

struct WindowArguments
{
    std::filesystem::path dataDirectory = defaultDataDirectory();
    QStringList files;
    bool understood = true;
};

WindowArguments readArguments(int argc, char** argv)
{
    WindowArguments arguments;
    for (int i = 1; i < argc; ++i) {
        const std::string_view each = argv[i];
        if (each == "--data-dir" && i + 1 < argc)
            arguments.dataDirectory = argv[++i];
        else if (QFileInfo(QString::fromLocal8Bit(argv[i])).isFile())
            arguments.files.push_back(
                QFileInfo(QString::fromLocal8Bit(argv[i])).absoluteFilePath());
        else
            arguments.understood = false;
    }
    return arguments;
}

bool hasDisplay()
{
    constexpr std::array kNames{"DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"};
    return std::ranges::any_of(kNames, [](const char* name) {
        const char* value = std::getenv(name);
        return value != nullptr && *value != '\0';
    });
}

/// The handbook, where the build or the installation put it; empty if it is missing.
QString sampleDocument()
{
    const QDir program(QCoreApplication::applicationDirPath());
    for (const char* place :
         {"resources/handbook.pdf", "../resources/handbook.pdf", "../share/epitome/handbook.pdf"}) {
        if (QFileInfo::exists(program.filePath(QLatin1String(place))))
            return QDir::cleanPath(program.filePath(QLatin1String(place)));
    }
    return {};
}

} // namespace

bool wantsWindow(int argc, char** argv)
{
    return readArguments(argc, argv).understood;
}

int runWindow(int argc, char** argv)
{
    if (!hasDisplay()) {
        std::cerr << "There is no display to open a window on. Use the commands instead; "
                     "epitome --help lists them.\n";
        return 1;
    }
    QApplication application(argc, argv);
    QApplication::setApplicationName(QStringLiteral("Epitome"));
    QApplication::setDesktopFileName(QStringLiteral("org.epitome.Epitome"));
    const WindowArguments arguments = readArguments(argc, argv);
    try {
        Session session(arguments.dataDirectory, {},
                        QCoreApplication::applicationFilePath().toStdString());
        ui::MainWindow window(session, sampleDocument());
        QSettings settings(
            QString::fromStdString((arguments.dataDirectory / "window.ini").string()),
            QSettings::IniFormat);
        window.restoreLayout(settings);
        window.show();
        session.importFiles(arguments.files);
        const int code = QApplication::exec();
        window.saveLayout(settings);
        return code;
    } catch (const engine::Error& error) {
        std::cerr << error.what() << '\n';
        QMessageBox::critical(nullptr, QStringLiteral("Epitome"), QString::fromUtf8(error.what()));
        return 1;
    }
}

} // namespace app
