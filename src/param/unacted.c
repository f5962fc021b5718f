/* What somebody set in vain. */
#include "base/mem.h"
#include "param/conf.h"
#include "param/mastercf.h"
#include "param/param.h"
#include "param/table.h"
#include <stdlib.h>
#include <unistd.h>

/* What is said once need not be said with the next reload. */
static struct htab told;

/* Parameters that say how a thing is done that others (leaders) ask for: where we do not have that
 * thing, a warning about those is enough. A row goes when its parameters act. */
static const struct group {
	const char *prefix, *leaders;
} groups[] = {
    {"address_verify_", ""},
    {"anvil_", ""},
    {"broken_sasl_auth_clients", ""},
    {"cyrus_sasl_config_path", ""},
    {"debug_peer_level", ""},
    {"debugger_command", ""}, /* of -D */
    {"lmtp_sasl_", "lmtp_sasl_auth_enable"},
    {"lmtp_starttls_timeout", ""},
    {"lmtp_tls_", "lmtp_tls_per_site lmtp_tls_policy_maps lmtp_tls_security_level "
		  "lmtp_tls_wrappermode"},
    {"multi_instance_", "multi_instance_directories multi_instance_enable"},
    {"openssl_path", ""},
    {"postmulti_", ""},
    {"send_cyrus_sasl_authzid", ""},
    {"smtp_sasl_", "smtp_sasl_auth_enable"},
    {"smtp_starttls_timeout", ""},
    {"smtp_tls_", "smtp_tls_per_site smtp_tls_policy_maps smtp_tls_security_level "
		  "smtp_tls_wrappermode"},
    {"smtpd_client_event_limit_exceptions", ""},
    {"smtpd_client_ipv4_prefix_length", ""},
    {"smtpd_client_ipv6_prefix_length", ""},
    {"smtpd_sasl_", "smtpd_sasl_auth_enable"},
    {"smtpd_starttls_timeout", ""},
    {"smtpd_tls_", "smtpd_tls_security_level smtpd_tls_wrappermode"},
    {"tls_", ""},
    {"unverified_", ""},
};

static bool is_default(const struct param_row *row, const char *raw)
{
	struct buf a = {0}, b = {0};
	bool same = false;

	if (row->def && strcmp(row->def, raw) == 0)
		return true;
	if (row->def && param_expand(&conf_scope, &a, str_of(row->def), NULL) == 0 &&
	    param_expand(&conf_scope, &b, str_of(raw), NULL) == 0)
		same = str_eq_nocase(buf_view(&a), buf_view(&b));
	buf_free(&a);
	buf_free(&b);
	return same;
}

/* What is off is what we do without it. */
static bool is_off(const char *raw)
{
	static const char *const off[] = {"", "no", "none", "0", "0s"};
	struct buf b = {0};
	bool found = false;

	if (param_expand(&conf_scope, &b, str_of(raw), NULL) == 0)
		for (size_t i = 0; i < ARRAY_SIZE(off); i++)
			found |= str_eq_nocase(str_trim(buf_view(&b)), str_of(off[i]));
	buf_free(&b);
	return found;
}

static bool is_led(str name)
{
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
		str leaders = str_of(groups[i].leaders), leader;

		if (!str_starts(name, str_of(groups[i].prefix)))
			continue;
		while (str_word(&leaders, " ", &leader))
			if (str_eq(leader, name))
				return false;
		return true;
	}
	return false;
}

/* master tells which programs of master.cf there are not. */
static bool has_program(const struct param_row *row)
{
	str rest = str_of(row->programs), word;
	struct buf path = {0};
	bool found = false;

	while (!found && str_word(&rest, ",", &word)) {
		const char *const dirs[] = {conf.daemon_directory, conf.command_directory};

		found = str_eq(word, STR("*"));
		for (size_t i = 0; i < ARRAY_SIZE(dirs) && !found; i++) {
			buf_clear(&path);
			buf_printf(&path, "%s/%.*s", dirs[i], STR_FMT(word));
			found = access(buf_text(&path), F_OK) == 0;
		}
	}
	buf_free(&path);
	return found;
}

static bool is_missed(const struct param_row *row, const char *raw)
{
	if (!row->idle || row->needless || is_default(row, raw))
		return false;
	if (*row->idle)
		return true;
	return !is_off(raw) && !is_led(str_of(row->name)) && has_program(row);
}

static void tell(
    void (*warn)(const char *text), str name, const char *raw, const char *file, int line)
{
	const struct param_row *row = param_find(name);
	struct buf b = {0};

	if (!row || htab_get(&told, name) || !is_missed(row, raw))
		return;
	htab_set(&told, name, &told);
	buf_printf(
	    &b, "%s/%s, line %d: parameter %s is set, but ", conf_dir(), file, line, row->name);
	if (*row->idle)
		buf_printf(&b, "has no effect here: %s", row->idle);
	else
		buf_cstr(&b, "is not acted on yet");
	warn(buf_text(&b));
	buf_free(&b);
}

static int by_line(const void *a, const void *b)
{
	const struct maincf_entry *x = (*(struct htab_entry *const *)a)->value;
	const struct maincf_entry *y = (*(struct htab_entry *const *)b)->value;

	return (x->line > y->line) - (x->line < y->line);
}

static void tell_main(void (*warn)(const char *text))
{
	struct htab_entry **v = calloc(conf_main.names.count + 1, sizeof(struct htab_entry *));
	size_t n = 0;

	if (!v)
		return;
	HTAB_FOREACH (e, &conf_main.names) {
		v[n++] = e;
	}
	qsort(v, n, sizeof(struct htab_entry *), by_line);
	for (size_t i = 0; i < n; i++) {
		const struct maincf_entry *set = v[i]->value;

		if (set->line)
			tell(warn, str_mem(v[i]->key, v[i]->n), set->value, "main.cf", set->line);
	}
	free(v);
}

static void tell_master(void (*warn)(const char *text))
{
	struct mastercf m = {0};

	if (mastercf_load(&m, NULL) != 0)
		return; /* master says what is wrong with it */
	for (size_t i = 0; i < m.n; i++) {
		for (size_t j = 0; j + 1 < m.v[i].nargs && m.v[i].args[j][0] == '-'; j++) {
			str word = str_of(m.v[i].args[j + 1]);
			ptrdiff_t eq = str_chr(word, '=');

			if (strcmp(m.v[i].args[j], "-o") != 0 || eq < 0)
				continue;
			tell(warn, str_trim(str_head(word, (size_t)eq)), word.p + eq + 1,
			    "master.cf", m.v[i].line);
			j++;
		}
	}
	mastercf_free(&m);
}

void conf_warn_unacted(void (*warn)(const char *text))
{
	tell_main(warn);
	tell_master(warn);
}
