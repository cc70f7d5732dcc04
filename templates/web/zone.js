// Offers the browser's time zone where the form has none of the reader's yet. Without it the list begins with UTC.
const field = document.getElementById("timezone");
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (field && [...field.options].some((option) => option.value === zone)) field.value = zone;
