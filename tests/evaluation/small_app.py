"""An ASGI application that starts at once: ``uvicorn tests.evaluation.small_app:app``."""


async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"well"})
