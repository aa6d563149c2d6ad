"""A hundred labelled queries in Chinese, Japanese, German and Spanish, our own writing: tools describe themselves in
English.

A line is ``Chinese / Japanese / German / Spanish | answers``; answers as in ``queries``.
"""

# ruff: noqa: E501 (a query and its answers stand on one line; full-width punctuation is meant)

from typing import Final

LANGUAGES: Final = ("Chinese", "Japanese", "German", "Spanish")

LINES: Final = """
东京现在几点 / 東京は今何時ですか / Wie spät ist es gerade in Tokio? / ¿Qué hora es ahora en Tokio? | get_current_time convert_time
把暂存的更改提交到仓库 / ステージした変更をコミットする / Die vorgemerkten Änderungen im Repository committen / Confirmar los cambios preparados en el repositorio | git_commit
为修复新建一个分支 / 修正用の新しいブランチを作る / Einen neuen Branch für eine Korrektur anlegen / Crear una rama nueva para una corrección | git_create_branch create_branch create_dolt_branch
在磁盘上新建一个文件夹 / ディスクに新しいフォルダを作成する / Einen neuen Ordner auf der Festplatte anlegen / Crear una carpeta nueva en el disco | filesystem*/create_directory
读取一个文件的内容 / ファイルの内容を読み込む / Den Inhalt einer Datei lesen / Leer el contenido de un archivo | read_file read_text_file read_multiple_files
在我的 GitHub 仓库里提交一个错误报告 / GitHub リポジトリにバグの課題を作成する / Ein Ticket über einen Fehler in meinem GitHub-Repository anlegen / Abrir una incidencia sobre un error en mi repositorio de GitHub | create_issue issue_write github*/*issue*
合并这个拉取请求 / プルリクエストをマージする / Diesen Pull-Request zusammenführen / Fusionar esta solicitud de extracción | merge_pull_request
重新运行失败的 GitHub Actions 任务 / 失敗した GitHub Actions のジョブを再実行する / Die fehlgeschlagenen GitHub-Actions-Jobs noch einmal ausführen / Volver a ejecutar los trabajos fallidos de GitHub Actions | rerun_failed_jobs rerun_workflow_run
给 Jira 问题添加评论 / Jira の課題にコメントを追加する / Einen Kommentar zu einem Jira-Vorgang hinzufügen / Añadir un comentario a una incidencia de Jira | jira_add_comment addCommentToJiraIssue
在 Notion 里写一个新页面 / Notion に新しいページを書く / Eine neue Seite in Notion schreiben / Escribir una página nueva en Notion | notion-create-pages API-post-page
用 SQL 查询我的数据库 / データベースに SQL で問い合わせる / Meine Datenbank mit SQL abfragen / Consultar mi base de datos con SQL | execute_sql run_sql run_query query execute_query run_select_query exec
向 MongoDB 集合插入几个文档 / MongoDB のコレクションに複数の文書を挿入する / Mehrere Dokumente in eine MongoDB-Sammlung einfügen / Insertar varios documentos en una colección de MongoDB | insert-many insert_document
退款给客户 / 顧客に返金する / Einem Kunden das Geld zurückerstatten / Devolver el dinero a un cliente | create_refund
我们 Stripe 账户的余额是多少 / Stripe アカウントの残高はいくらですか / Wie hoch ist der Kontostand unseres Stripe-Kontos? / ¿Cuál es el saldo de nuestra cuenta de Stripe? | retrieve_balance
画一张云架构图 / クラウド構成図を描く / Ein Diagramm meiner Cloud-Architektur zeichnen / Dibujar un diagrama de mi arquitectura en la nube | generate_diagram cloudarchitect
打开客厅的灯 / 居間の照明をつける / Das Licht im Wohnzimmer einschalten / Encender las luces del salón | entity_action call_service_tool
把一个警报静音两小时 / アラートを二時間止める / Einen Alarm für zwei Stunden stummschalten / Silenciar una alerta durante dos horas | silence_alert
检查这段代码有没有安全漏洞 / このコードにセキュリティの穴がないか調べる / Diesen Code auf Sicherheitslücken prüfen / Revisar este código en busca de fallos de seguridad | semgrep_scan security_check semgrep_scan_local semgrep_scan_with_custom_rule analyze_code_snippet
截取网页的屏幕截图 / ページのスクリーンショットを撮る / Ein Bildschirmfoto der Seite aufnehmen / Hacer una captura de pantalla de la página | browser_take_screenshot take_screenshot browserbase_screenshot screenshotPage
酒店附近的餐馆 / ホテルの近くのレストラン / Restaurants in der Nähe meines Hotels / Restaurantes cerca de mi hotel | nearby_places maps_search_places brave_local_search
这个地址的坐标是什么 / この住所の座標を知りたい / Welche Koordinaten hat diese Adresse? / ¿Cuáles son las coordenadas de esta dirección? | geocode maps_geocode
明天会下雨吗 / 明日は雨が降りますか / Regnet es morgen? / ¿Lloverá mañana? | get_forecast
把这张图片缩小 / この画像を小さくする / Dieses Bild verkleinern / Reducir el tamaño de esta imagen | resize_image
快速记一条笔记 / 簡単なメモを書き留める / Schnell eine Notiz aufschreiben / Escribir una nota rápida | create_note append_to_note
我的航班晚点了吗 / 私の飛行機は遅れていますか / Hat mein Flug Verspätung? / ¿Está retrasado mi vuelo? | flight_status
""".strip()


def lines_of(language: str) -> str:
    """The queries of one language, a line each, as ``queries`` reads them."""
    place = LANGUAGES.index(language)
    rows = (line.partition(" | ") for line in LINES.splitlines())
    return "\n".join(f"{texts.split(' / ')[place]} | {answers}" for texts, _, answers in rows)
