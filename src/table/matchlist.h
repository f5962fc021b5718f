/* Lists that match or do not: mynetworks, relay_domains, debug_peer_list, ... Items: name, .domain
 * (or parent by parent_domain_matches_subdomains), address, network, type:table, /file, ! in front
 * negates; the first match decides. */
#ifndef POSTERN_TABLE_MATCHLIST_H
#define POSTERN_TABLE_MATCHLIST_H

#include "table/table.h"

struct matchlist;
enum matchlist_kind {
	MATCH_STRING, /* whole words, case ignored */
	MATCH_DOMAIN, /* names, with parents as parent_domain_matches_subdomains says for param */
	MATCH_HOST,   /* client name and address: domain patterns and networks */
};
/* Whether a domain in a list (or table) of this name stands for its subdomains too; else they are
 * written as ".domain" (parent_domain_matches_subdomains). */
bool matchlist_parent_matches(const char *param);
/* param is the parameter's name, for messages and for parent_domain_matches_subdomains. Syntax
 * errors are logged, and the list then answers TABLE_ERROR (never a match by accident). */
struct matchlist *matchlist_open(const char *param, const char *list, enum matchlist_kind kind);
const char *matchlist_param(const struct matchlist *m); /* the parameter, for messages */
void matchlist_close(struct matchlist *m);		/* NULL is allowed */
bool matchlist_empty(const struct matchlist *m);
/* TABLE_FOUND, TABLE_NONE, or TABLE_ERROR (a table failed). May wait. */
enum table_result matchlist_name(struct matchlist *m, str name, struct err *err);
/* For MATCH_HOST; name may be "unknown", addr is numeric text. May wait. */
enum table_result matchlist_host(struct matchlist *m, str name, str addr, struct err *err);

#endif
