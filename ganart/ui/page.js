// A tab whose server went away asks for it ever more seldom, up to 4 s apart. While the connection is lost, no wait is
// longer than half a second, so that a page lives again as soon as the server does. What was typed stays, unlike
// after a reload.
{
  const wait = globalThis.setTimeout;
  const lost = () => {
    const app = document.querySelector('[data-testid="stApp"]');
    return app !== null && app.dataset.testConnectionState !== "CONNECTED";
  };
  globalThis.setTimeout = (work, ms, ...rest) => wait(work, ms > 500 && lost() ? 500 : ms, ...rest);
}
