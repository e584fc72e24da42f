// Sends the code of the link, which is the part of the URL after #, and shows the token.
const code = location.hash.slice(1);
history.replaceState(null, "", location.pathname);
document.getElementById("make").addEventListener("click", async (event) => {
  const result = document.getElementById("result");
  event.target.disabled = true;
  try {
    const response = await fetch("/v1/setup", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ code }),
    });
    const body = await response.json();
    result.textContent = response.ok
      ? "Save this token in a file, and give the file to mp-server ctl --token-file:"
      : body.detail;
    document.getElementById("token").textContent = response.ok ? body.token : "";
  } catch (error) {
    result.textContent = "The server does not respond: " + error.message;
    event.target.disabled = false;
  }
});
