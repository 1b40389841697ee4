#pragma once
#include <curl/curl.h>

// Swift calls no functions with a variable number of arguments. Everything that decides anything is in Swift.

static inline CURLcode aviary_curl_set_text(CURL *curl, CURLoption option, const char *value) {
  return curl_easy_setopt(curl, option, value);
}
static inline CURLcode aviary_curl_set_number(CURL *curl, CURLoption option, long value) {
  return curl_easy_setopt(curl, option, value);
}
static inline CURLcode aviary_curl_set_list(CURL *curl, CURLoption option, struct curl_slist *value) {
  return curl_easy_setopt(curl, option, value);
}

/// Where to write what went wrong, as text of at most CURL_ERROR_SIZE bytes.
static inline void aviary_curl_set_details(CURL *curl, char *details) {
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, details);
}

typedef size_t (*aviary_curl_bytes)(char *bytes, size_t size, size_t count, void *context);

typedef int (*aviary_curl_clock)(void *context, curl_off_t total, curl_off_t done, curl_off_t up_total, curl_off_t up);

/// All functions get `context`. The first two return the number of bytes they took; any other number ends the transfer, and so does
/// anything but 0 from the third, which is called at least once a second.
static inline void aviary_curl_set_callbacks(
    CURL *curl, aviary_curl_bytes header, aviary_curl_bytes body, aviary_curl_clock clock, void *context) {
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, clock);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, context);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, context);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, context);
}

static inline long aviary_curl_status(CURL *curl) {
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  return status;
}

/// Restricts first requests and redirects to lists of protocols such as "http,https".
static inline void aviary_curl_set_protocols(CURL *curl, const char *first, const char *redirected) {
#if CURL_AT_LEAST_VERSION(7, 85, 0)
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, first);
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, redirected);
#else
  long web = CURLPROTO_HTTP | CURLPROTO_HTTPS;
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS, web);
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS, redirected[4] == 's' ? (long)CURLPROTO_HTTPS : web);
#endif
}

static inline void aviary_curl_start(void) { curl_global_init(CURL_GLOBAL_DEFAULT); }
